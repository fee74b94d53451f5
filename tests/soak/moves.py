"""Whole stores on the move while processes are killed: backups beside a service that writes, and copies from one store into another.

Neither is a job of the service: each is a process of its own, which is killed too. What was made whole is then served, and read like
the service itself.
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

from checker import Finding
from server import CLIENTELE, PATIENCE_S, Server, die_with_us
from work import Job

# Of a writer's epochs so many are read of a copy, beside the newest ones.
EPOCHS_READ = 3


class Move(Job):
    """The program's `store` command, in a folder of its own."""

    def __init__(self, soak, number):
        super().__init__(soak, number)
        self.temporary = tempfile.TemporaryDirectory(prefix="clientele-soak-move-")
        self.folder = Path(self.temporary.name)
        self.findings = []

    def command(self, *arguments):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CLIENTELE_")}
        pipe = subprocess.PIPE
        return subprocess.Popen([CLIENTELE, "store", *arguments], stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL, text=True, env=clean, preexec_fn=die_with_us)

    def done(self, *arguments):
        """Whether the command did its work; a finding if not."""
        process = self.command(*arguments)
        _, said = process.communicate(timeout=PATIENCE_S)
        if process.returncode != 0:
            self.findings.append(Finding("job", f"store {' '.join(map(str, arguments))} ended {process.returncode}: {said}"))
        return process.returncode == 0

    def check_served(self, folder, epochs_of):
        """Serves a folder's store, and reads the facts of some epochs of each writer."""
        with Server("sqlite", folder=folder) as other:
            client = other.client()
            for writer in self.soak.crowd.writers:
                for epoch in epochs_of(writer):
                    self.findings += self.soak.check_epoch(client, writer, epoch)
            client.close()

    def some(self, epochs):
        return sorted(self.chance.sample(epochs, min(EPOCHS_READ, len(epochs))))


class Backup(Move):
    """One moment of a store that is written to: everything that was settled before is in it, and it is sound."""

    seconds = 0.6

    @staticmethod
    def is_for(store):
        return store == "sqlite"

    def __init__(self, soak, number):
        super().__init__(soak, number)
        # Epochs that nobody writes into any more.
        self.settled = {writer.name: range(soak.checked[writer.name]) for writer in soak.crowd.writers}
        self.process, self.said = None, ""

    def begin(self, client):
        self.process = self.command("backup", "--to", self.folder / "first.db", "--data-dir", self.soak.server.data)
        _, self.said = self.process.communicate(timeout=PATIENCE_S)

    def after_the_kill(self):
        """The service is gone in the middle of it; the half of them go too, the others read on."""
        if self.process and self.chance.random() < 0.5:
            self.process.kill()

    def end(self, client):
        if self.process.returncode not in (0, -9):
            self.findings.append(Finding("job", f"a backup ended {self.process.returncode}: {self.said}"))
        # A file with its name is whole, whatever became of the process.
        if (self.folder / "first.db").exists():
            self.check("first")
        if self.done("backup", "--to", self.folder / "second.db", "--data-dir", self.soak.server.data):
            self.check("second")
        self.temporary.cleanup()
        return self.findings

    def check(self, name):
        folder = self.folder / name
        folder.mkdir()
        if self.done("restore", self.folder / f"{name}.db", "--data-dir", folder / "data") and self.done("verify", folder / "data"):
            self.check_served(folder, lambda writer: self.some(self.settled[writer.name]))


class Copy(Move):
    """From the store as the kill left it into a new one, killed on the way: nothing of it is to be seen until it is whole."""

    seconds = 0.3

    @staticmethod
    def is_for(store):
        return True

    def begin(self, client):
        """The service writes and is killed: that is what there is to be copied."""

    def after_the_kill(self):
        if self.soak.server.store.name == "sqlite":
            shutil.copytree(self.soak.server.data, self.folder / "source")

    def end(self, client):
        served = self.folder / "served"
        served.mkdir()
        store = self.soak.server.store
        if store.name == "sqlite":
            self.copy(self.folder / "source", served / "data", self.slugs_of_folder)
        else:
            schema = f"copied_{self.number}"
            store.execute(f"CREATE SCHEMA {schema}")
            there = f"{store.url}{'&' if '?' in store.url else '?'}options=-csearch_path%3D{schema}"
            self.copy(store.url, self.folder / "between", self.slugs_of_folder)
            self.copy(self.folder / "between", there, lambda _: self.slugs_of_schema(schema))
            self.copy(there, served / "data", self.slugs_of_folder)
            store.execute(f"DROP SCHEMA {schema} CASCADE")
        if not self.findings:
            self.check_served(served, lambda writer: sorted({writer.epoch, *self.some(range(writer.epoch + 1))}))
        self.temporary.cleanup()
        return self.findings

    def copy(self, source, target, slugs):
        for _ in range(2):
            process = self.command("copy", "--from", source, "--to", target)
            time.sleep(self.chance.random() * self.seconds)
            process.kill()
            _, said = process.communicate(timeout=PATIENCE_S)
            if process.returncode not in (0, -9):
                self.findings.append(Finding("job", f"a copy from {source} to {target} ended {process.returncode}: {said}"))
                return
            # Between the last step and the end of the process it may be whole and killed.
            if process.returncode == 0 or slugs(target):
                break
        else:
            if not self.done("copy", "--from", source, "--to", target):
                return
        self.done("verify", target)

    @staticmethod
    def slugs_of_folder(folder):
        path = folder / "clientele.db"
        if not path.exists():
            return []
        database = sqlite3.connect(path)
        found = database.execute("SELECT slug FROM workspace WHERE slug NOT LIKE '~%'").fetchall()
        database.close()
        return found

    def slugs_of_schema(self, schema):
        store = self.soak.server.store
        if store.execute(f"SELECT to_regclass('{schema}.workspace') IS NOT NULL") != "t":
            return []
        return store.execute(f"SELECT slug FROM {schema}.workspace WHERE slug NOT LIKE '~%'").split()


MOVES = [Backup, Copy]
