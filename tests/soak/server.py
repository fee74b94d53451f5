"""`clientele serve` as the soak runs it: on SQLite or on a PostgreSQL of its own, killed and started again under one address."""

import ctypes
import http.client
import importlib.machinery
import importlib.util
import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLIENTELE = Path(os.environ.get("CLIENTELE_BIN", ROOT / "target/debug/clientele"))
POSTGRES = ROOT / "tools/postgres"
# A model of random numbers: a fit with it takes the way of any fit.
MODEL = ROOT / "tests/reference/tiny/bert"
PATIENCE_S = 300


class Gone(Exception):
    """No answer came: the work may have been done or not."""


class Client:
    """One connection that is kept open. Not for two threads at once."""

    def __init__(self, address):
        self.address = address
        self.connection = None

    def call(self, method, path, body=None, headers=None):
        """The status and what came; JSON is read. `body` is bytes or what becomes JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=PATIENCE_S)
            self.connection.request(method, path, body, {"content-type": "application/json"} | (headers or {}))
            response = self.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Gone(f"{method} {path}: {error!r}") from error
        is_json = "json" in (response.headers.get("content-type") or "")
        return Answer(response.status, response.headers, json.loads(text) if is_json and text else text)

    def get(self, path):
        answer = self.call("GET", path)
        if answer.status != 200:
            raise AssertionError(f"GET {path}: {answer.status} {answer.body}")
        return answer.body

    def pages(self, path, limit=1000):
        """All rows of a list, page by page."""
        cursor = ""
        while True:
            page = self.get(f"{path}?limit={limit}{cursor}")
            yield from page["data"]
            if not page["has_more"]:
                return
            cursor = f"&cursor={page['next_cursor']}"

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __del__(self):
        self.close()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        """The problem's code, where it is one."""
        return self.body.get("code") if isinstance(self.body, dict) else None


def postgres_tool():
    """`tools/postgres` as a module: where a server's files may lie, and whether there is a server at all."""
    loader = importlib.machinery.SourceFileLoader("postgres_tool", str(POSTGRES))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Sqlite:
    """The embedded store; nothing to set up."""

    name = "sqlite"

    def __init__(self, folder):
        self.path = folder / "data" / "clientele.db"
        self.environment = {}

    def execute(self, sql):
        """What no program should do: changes rows behind the service's back, while it is down."""
        import sqlite3

        with sqlite3.connect(self.path) as database:
            n_changed = database.execute(sql).rowcount
        database.close()
        return n_changed

    def stop(self):
        pass


class Postgres:
    """A server of its own, so that nobody else's rows are near and it can be stopped."""

    name = "postgres"

    def __init__(self, folder):
        self.temporary = postgres_tool().temporary_folder()
        self.folder = self.temporary.__enter__() / "server"
        self.url = self.tool("start", self.folder).stdout.strip()
        self.environment = {"CLIENTELE_STORE": self.url}

    @staticmethod
    def is_there():
        return postgres_tool().binaries() is not None

    @staticmethod
    def tool(*arguments):
        return subprocess.run([POSTGRES, *arguments], check=True, text=True, stdout=subprocess.PIPE)

    def execute(self, sql):
        done = subprocess.run(["psql", self.url, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True, text=True, capture_output=True)
        return done.stdout.strip()

    def stop(self):
        self.tool("stop", self.folder, "immediate")
        self.temporary.__exit__(None, None, None)


STORES = {store.name: store for store in (Sqlite, Postgres)}


class Faults:
    """What is wrong with the machine under the service: see faults.c. Without a C compiler nothing can be, and `can` is false."""

    FIELDS = ("clock_offset_s", "disk_is_full", "sync_fails")

    def __init__(self, folder):
        library = folder / "faults.so"
        command = [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "faults.c"), "-ldl"]
        self.can = sys.platform == "linux" and shutil.which(command[0]) and subprocess.run(command, capture_output=True).returncode == 0
        self.environment = {}
        path = folder / "faults"
        path.write_bytes(bytes(8 * len(self.FIELDS)))
        with open(path, "r+b") as file:
            self.mapped = mmap.mmap(file.fileno(), 0)
        if self.can:
            self.environment = {"LD_PRELOAD": str(library), "SOAK_FAULTS": str(path)}

    def set(self, **faults):
        for name, value in faults.items():
            at = 8 * self.FIELDS.index(name)
            self.mapped[at : at + 8] = struct.pack("=q", int(value))


class Server:
    """The service over a folder of its own. It is without keys, so it answers on loopback only and to everyone there."""

    def __init__(self, store="sqlite", folder=None, arguments=(), can_break=True):
        """`can_break`: with the library under it that makes faults; a benchmark is without."""
        self.temporary = None if folder else tempfile.TemporaryDirectory(prefix="clientele-soak-")
        self.folder = Path(folder or self.temporary.name)
        self.store = STORES[store](self.folder)
        self.faults = Faults(self.folder)
        models = self.folder / "models"
        models.mkdir(exist_ok=True)
        if not (models / "tiny").exists():
            (models / "tiny").symlink_to(MODEL)
        self.data = self.folder / "data"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CLIENTELE_")}
        self.environment = clean | self.store.environment | (self.faults.environment if can_break else {})
        self.arguments = [*arguments, "--offline", "--models-dir", models]
        self.address = "127.0.0.1:0"
        self.process = None
        self.said = []

    def start(self):
        """Starts it, again under the address that it had, and gives the seconds until it says that it listens."""
        begun = time.monotonic()
        command = [CLIENTELE, "serve", "--listen", self.address, "--data-dir", self.data, *self.arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=self.environment, preexec_fn=die_with_us)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if "listening on http://" in line:
                self.address = line.split("listening on http://")[1].split(";")[0].strip()
                break
        else:
            raise AssertionError(f"the service did not start (exit {self.process.wait()}):\n{''.join(self.said)}")
        # It is read on, so that the pipe never fills.
        self.drain = threading.Thread(target=lambda stream, said: said.extend(stream), args=(self.process.stderr, self.said), daemon=True)
        self.drain.start()
        return time.monotonic() - begun

    def client(self):
        return Client(self.address)

    def kill(self):
        """SIGKILL: nothing is written or closed in good order."""
        self.process.kill()
        self.ended()

    def terminate(self):
        self.process.terminate()
        self.ended()

    def ended(self):
        code = self.process.wait(timeout=PATIENCE_S)
        self.drain.join(timeout=PATIENCE_S)
        self.process.stderr.close()
        self.process = None
        return code

    def stop(self):
        if self.process is not None:
            self.kill()
        self.store.stop()
        self.faults.mapped.close()
        if self.temporary:
            self.temporary.cleanup()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


def die_with_us():
    """A test that is killed itself leaves no service behind (prctl's PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 9)
