"""Who takes part in `make bench-embed`, and how each worker is started and set."""

import dataclasses
import json
import pathlib
import statistics
import sys

from inputs import CALIBRATION
from rival_engines import ENGINES
from workers import Worker, WorkerError

HERE = pathlib.Path(__file__).parent
ENTRIES = [
    ("ours", "f32"), ("ours", "bf16"), ("ours", "int8"),
    ("candle", "f32"),
    ("openvino", "f32"), ("openvino", "bf16"), ("openvino", "int8"),
    ("onnxruntime", "f32"), ("onnxruntime", "int8"),
    ("pytorch", "f32"), ("pytorch", "bf16"),
]
N_CALIBRATION_ROUNDS = 2
N_CALIBRATION_SINGLES = 60


@dataclasses.dataclass
class Places:
    """Where everything is."""

    model: pathlib.Path
    ours: pathlib.Path
    candle: pathlib.Path
    work: pathlib.Path

    @property
    def inputs(self):
        return self.work / "inputs"

    @property
    def rivals(self):
        return self.work / "rivals"


class KeptSettings(dict):
    """The rivals' best settings as found so far, in a file from the moment each is found."""

    def __init__(self, file, fresh):
        super().__init__({} if fresh or not file.exists() else json.loads(file.read_text(encoding="utf-8")))
        self.file = file

    def __setitem__(self, key, setting):
        super().__setitem__(key, setting)
        self.file.write_text(json.dumps(self, indent=1), encoding="utf-8")


class Entry:
    """One row group of the table: a program and a precision."""

    def __init__(self, name, precision, places, as_service=False):
        self.name, self.precision = name, precision
        self._places, self._as_service = places, as_service
        self.settings = {}

    def __str__(self):
        return f"{self.name} {self.precision}"

    def start(self, names):
        """A worker with this entry's settings for these inputs and the slices of them."""
        log = self._places.work / "logs" / f"{self.name}-{self.precision}.log"
        worker = Worker(self._command(), log)
        for name, setting in self.settings.items():
            if name in names and isinstance(setting, dict):
                for input in (name, *CALIBRATION.get(name, ())[:1]):
                    worker.ask(do="set", input=input, setting=setting)
        return worker

    def _command(self):
        places = self._places
        if self.name == "ours":
            return [places.ours, places.model, places.inputs, self.precision] + ["--as-service"] * self._as_service
        if self.name == "candle":
            return [places.candle, places.model, places.inputs]
        worker = [sys.executable, HERE / "rival_worker.py", self.name, self.precision]
        return [*worker, places.model, places.rivals, places.inputs]

    def setting(self, input):
        """In words, for the table."""
        setting = self.settings.get(input, "")
        return ", ".join(f"{k} {v}" for k, v in setting.items()) if isinstance(setting, dict) else setting

    def calibrate(self, worker, names, kept):
        """Finds a rival's best setting for each input, one axis after the other; `kept` holds those of earlier runs."""
        if self.name not in ENGINES:
            self.settings = dict.fromkeys(names, worker.setting)
            return
        for name in names:
            key = f"{self}: {name}"
            if key not in kept:
                kept[key] = self._best(worker, name)
                print(f"  {key}: {json.dumps(kept[key])}", flush=True)
            self.settings[name] = kept[key]

    def _best(self, worker, name):
        best, least, failed = {}, None, None
        axes = self._axes(name)
        for axis, values in axes.items():
            # The first value of the first axis is the default; later axes start from what was measured already.
            for value in values if least is None else values[1:]:
                setting = {a: v[0] for a, v in axes.items()} | best | {axis: value}
                try:
                    seconds = cost(worker, name, setting)
                except WorkerError as error:
                    failed = error
                    continue
                if least is None or seconds < least:
                    best, least = setting, seconds
        if least is None:
            raise failed
        return best

    def _axes(self, name):
        """The axes that mean something here."""
        axes = dict(ENGINES[self.name].AXES)
        if self.precision != "int8":
            axes.pop("inner", None), axes.pop("weights", None)
        if self.precision != "bf16":
            axes.pop("bf16", None)
        if name == "single":
            axes.pop("batch", None)
        return axes


def cost(worker, name, setting):
    """Seconds with a setting: of the slice kept for calibration, or of the median single text."""
    sample = CALIBRATION[name][0] if name in CALIBRATION else name
    worker.ask(do="set", input=sample, setting=setting)
    if sample == "single":
        worker.ask(do="single", input=sample, n=10)
        return statistics.median(worker.ask(do="single", input=sample, n=N_CALIBRATION_SINGLES)["ms"])
    return min([worker.ask(do="run", input=sample)["seconds"] for _ in range(1 + N_CALIBRATION_ROUNDS)][1:])


def start_all(entries, names, kept, missing):
    """{entry: worker} of all that start; the others go into `missing` by name."""
    workers = {}
    for entry in entries:
        print(f"starting {entry}", flush=True)
        try:
            worker = entry.start([])
            entry.calibrate(worker, names, kept)
            worker.close()
            # Without the engines that calibration tried.
            workers[entry] = entry.start(names)
        except WorkerError as error:
            missing.append({"entry": entry.name, "precision": entry.precision, "why": str(error)})
            print(f"  missing: {error}", flush=True)
    return workers
