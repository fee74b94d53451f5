"""A worker process as the driver sees it: JSON lines out and in, and what it said when it could not start."""

import json
import os
import subprocess
import sys

THREADS = "2"


class WorkerError(Exception):
    """A worker that does not run, or could not do what it was asked."""


def environment():
    """Two threads for every library. The OPENBLAS settings some machines carry slow a current numpy down."""
    kept = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    threads = dict.fromkeys(["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], THREADS)
    return kept | threads | {"TOKENIZERS_PARALLELISM": "true", "RUST_BACKTRACE": "0"}


class Worker:
    def __init__(self, command, log):
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w", encoding="utf-8") as errors:
            try:
                self._process = subprocess.Popen(
                    [str(part) for part in command], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=errors, text=True, encoding="utf-8")
            except OSError as error:
                raise WorkerError(str(error)) from error
        self.setting = self._read()["setting"]

    def ask(self, **request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        reply = self._read()
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self):
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        why = next((line for line in reversed(said) if line.strip()), f"it ended with {self._process.returncode}")
        raise WorkerError(why.removeprefix("Error: "))


class Neighbour:
    """Another process that keeps one core busy, for as long as the `with` lasts."""

    def __init__(self, core):
        self._command = [sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"]

    def __enter__(self):
        self._process = subprocess.Popen(self._command)

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
