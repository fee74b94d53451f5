"""A rival as a worker of `make bench-embed`: JSON lines in and out, as examples/worker does it for the Rust programs.

    python rival_worker.py openvino|onnxruntime|pytorch f32|bf16|int8 MODEL_FOLDER RIVALS_FOLDER INPUTS_FOLDER

Besides `run`, `single`, `vectors` and `rss` there is `set`: the setting for an input, which calibration chose.
"""

import json
import pathlib
import sys
import time

import numpy
from inputs import tokenizer
from rival_engines import ENGINES
from safetensors.numpy import save_file


class Rival:
    """Tokenises, sorts by token count, pads to the batch's longest, and has an engine do the batches."""

    def __init__(self, engine, precision, model, rivals, inputs):
        self._make = lambda setting: ENGINES[engine](precision, model, rivals, setting)
        self._encode = tokenizer(model)
        self._inputs = inputs
        self._texts = {}
        self._engines = {}
        self._settings = {}
        self._default = ENGINES[engine].DEFAULT

    def _engine(self, setting):
        key = json.dumps({name: value for name, value in setting.items() if name != "batch"}, sort_keys=True)
        if key not in self._engines:
            self._engines[key] = self._make(setting)
        return self._engines[key]

    def _of(self, name):
        """An input's texts, and the engine and batch it is to run with."""
        if name not in self._texts:
            self._texts[name] = json.loads((self._inputs / f"{name}.json").read_text(encoding="utf-8"))
        setting = self._settings.get(name, self._default)
        return self._texts[name], self._engine(setting), setting["batch"]

    def embed(self, texts, engine, batch):
        rows = [encoded.ids for encoded in self._encode.encode_batch_fast(texts)]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        lots = [order[at:at + batch] for at in range(0, len(order), batch)]
        vectors = numpy.empty((len(rows), engine.DIMENSION), dtype=numpy.float32)

        def keep(lot, made):
            vectors[lot] = made

        engine.run_all(((lot, *padded([rows[i] for i in lot])) for lot in lots), keep)
        return vectors, sum(map(len, rows))

    def run(self, input):
        texts, engine, batch = self._of(input)
        started = time.perf_counter()
        _, n_tokens = self.embed(texts, engine, batch)
        return {"seconds": time.perf_counter() - started, "n_texts": len(texts), "n_tokens": n_tokens}

    def single(self, input, n):
        texts, engine, _ = self._of(input)
        ms = []
        for i in range(n):
            text = texts[i % len(texts)]
            started = time.perf_counter()
            engine.run_one(*padded([self._encode.encode(text).ids]))
            ms.append((time.perf_counter() - started) * 1e3)
        return {"ms": ms}

    def vectors(self, input, out):
        texts, engine, batch = self._of(input)
        save_file({"vectors": self.embed(texts, engine, batch)[0]}, out)
        return {"n_texts": len(texts)}

    def set(self, input, setting):
        self._settings[input] = self._default | setting
        self._engine(self._settings[input])
        return {"setting": self._settings[input]}

    def rss(self):
        status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        found = {line.split(":")[0]: int(line.split()[1]) for line in status if line.startswith(("VmRSS:", "VmHWM:"))}
        return {"now_kib": found["VmRSS"], "peak_kib": found["VmHWM"]}


def padded(rows):
    shape = (len(rows), max(map(len, rows)))
    ids, mask = numpy.zeros(shape, dtype=numpy.int64), numpy.zeros(shape, dtype=numpy.int64)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = row
        mask[i, :len(row)] = 1
    return ids, mask


def say(message):
    print(json.dumps(message), flush=True)


def main(engine, precision, *folders):
    rival = Rival(engine, precision, *map(pathlib.Path, folders))
    say({"setting": engine})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            say(getattr(rival, request.pop("do"))(**request))
        except Exception as error:  # whatever a library raises is this rival's answer
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main(*sys.argv[1:])
