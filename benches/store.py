#!/usr/bin/env python3
"""Both stores: durable events a second over HTTP, beside the disk's own syncs and a plain loop of INSERTs in the same run; memory while
a million events come in; seconds from the start to readiness with a million customers and ten million events.

Every number is of a store that syncs each commit. What else the machine does at the same time is in the numbers too: the load is printed.
Standard library only, beside the program and PostgreSQL's own psql.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/soak"))
os.environ.setdefault("CLIENTELE_BIN", str(ROOT / "target/release/clientele"))
from server import STORES, Server  # noqa: E402: the program is chosen above

BATCH = 500
SECONDS_RAW = 2.0
N_PAGES_RAW = 2_048
N_CUSTOMERS = 20_000


def body(start, n):
    """Events as a shop sends them, of `n` different messages."""
    event = (
        '{{"type":"track","event":"Product Viewed","messageId":"m-{i:010}","userId":"user-{c}","timestamp":"2026-01-{d:02}T12:00:00Z",'
        '"properties":{{"product_id":"p-{p}","price":9.9,"currency":"EUR","category":"Coffee","position":{p}}}}}'
    )
    events = (event.format(i=i, c=i * 7919 % N_CUSTOMERS, d=1 + i % 28, p=i % 500) for i in range(start, start + n))
    return ('{"batch":[' + ",".join(events) + "]}").encode()


def raw_fsyncs_per_s(folder):
    """One page written over and synced after the other, in a file that has its room already: what no log can do more often."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, N_PAGES_RAW * 8192)
        os.pwrite(file.fileno(), bytes(N_PAGES_RAW * 8192), 0)
        os.fsync(file.fileno())
        n, begun = 0, time.perf_counter()
        while (taken := time.perf_counter() - begun) < SECONDS_RAW:
            os.pwrite(file.fileno(), b"x" * 8192, n % N_PAGES_RAW * 8192)
            os.fdatasync(file.fileno())
            n += 1
    return n / taken


def plain_inserts(store, folder, n_rows):
    """Rows a second of INSERTs with `n_rows` a transaction, into a table with the one index that finds a message again."""
    table = "CREATE TABLE plain (id {key}, message_id text NOT NULL UNIQUE, customer text, name text, time bigint, properties text)"
    rows = lambda i: ((f"w-{n:09}", f"user-{n % 977}", "Product Viewed", n, f'{{"product_id":"p-{n % 500}","price":9.9}}') for n in range(i, i + n_rows))
    if store.name == "sqlite":
        database = sqlite3.connect(folder / f"plain-{n_rows}.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(table.format(key="INTEGER PRIMARY KEY"))
        n, begun = 0, time.perf_counter()
        while (taken := time.perf_counter() - begun) < SECONDS_RAW:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO plain (message_id, customer, name, time, properties) VALUES (?, ?, ?, ?, ?)", rows(n))
            database.execute("COMMIT")
            n += n_rows
        database.close()
        return n / taken
    store.execute("DROP TABLE IF EXISTS plain; " + table.format(key="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"))
    n_transactions = 1_000 if n_rows == 1 else 60
    quoted = lambda row: "(" + ", ".join(f"'{value}'" for value in row) + ")"
    insert = "INSERT INTO plain (message_id, customer, name, time, properties) VALUES "
    script = "".join(insert + ", ".join(map(quoted, rows(t * n_rows))) + ";\n" for t in range(n_transactions))
    begun = time.perf_counter()
    subprocess.run(["psql", store.url, "-qX", "-v", "ON_ERROR_STOP=1"], input=script, text=True, check=True, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - begun
    store.execute("DROP TABLE plain")
    return n_transactions * n_rows / taken


class Ingest:
    """Batches from several connections at once; the memory is looked at as the marks go by."""

    def __init__(self, server, n_events, n_writers, first, marks=()):
        self.server, self.n_events, self.n_writers, self.first, self.marks = server, n_events, n_writers, first, list(marks)
        self.next, self.n_done, self.lock = 0, 0, threading.Lock()
        self.rss_mb, self.failures = {}, []

    def run(self):
        threads = [threading.Thread(target=self.write) for _ in range(self.n_writers)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures:
            raise SystemExit(f"a batch was refused: {self.failures[0]}")
        return self.n_events / (time.perf_counter() - begun)

    def write(self):
        client = self.server.client()
        while not self.failures:
            with self.lock:
                start, self.next = self.next, self.next + BATCH
            if start >= self.n_events:
                break
            answer = client.call("POST", "/v1/batch", body(self.first + start, BATCH))
            if answer.status != 200 or answer.body["accepted"] != BATCH:
                self.failures.append(answer.body)
            self.done()
        client.close()

    def done(self):
        with self.lock:
            self.n_done += BATCH
            while self.marks and self.n_done >= self.marks[0]:
                self.rss_mb[self.marks.pop(0)] = rss_mb(self.server.process.pid)


def rss_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024)


# How a store of any size is made: the service makes the schema, a workspace and a fitted version; the database multiplies them.
GROW = {
    "sqlite": [
        """INSERT INTO customer (workspace_id, external_id, created_at, n_events)
           WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {customers})
           SELECT {workspace}, printf('zz%08d', i), 1767225600000000, {events_each} FROM n""",
        """INSERT INTO event (workspace_id, event_id, customer_id, name, time, properties)
           WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {events})
           SELECT {workspace}, printf('m-%010d', i), {first} + i % {customers}, 'Product Viewed', 1767225600000000 + i * 1000000,
               '{{"product_id":"p-1","price":9.9}}' FROM n""",
        """INSERT INTO membership (version_id, position, customer_id, segment_id, confidence, runner_up_confidence, since, reason)
           SELECT v.id, 1000 + c.id, c.id, s.id, 0.9, 0.1, 1767225600000000, 'joined'
           FROM version v JOIN segment s ON s.version_id = v.id AND s.position = 0, customer c WHERE c.id >= {first}""",
    ],
    "postgres": [
        """INSERT INTO customer (workspace_id, external_id, created_at, n_events)
           SELECT {workspace}, 'zz' || lpad(i::text, 8, '0'), 1767225600000000, {events_each} FROM generate_series(0, {customers} - 1) i""",
        """INSERT INTO event (workspace_id, event_id, customer_id, name, time, properties)
           SELECT {workspace}, 'm-' || lpad(i::text, 10, '0'), {first} + i % {customers}, 'Product Viewed', 1767225600000000 + i::bigint * 1000000,
               '{{"product_id":"p-1","price":9.9}}' FROM generate_series(0, {events} - 1) i""",
        """INSERT INTO membership (version_id, position, customer_id, segment_id, confidence, runner_up_confidence, since, reason)
           SELECT v.id, 1000 + c.id, c.id, s.id, 0.9, 0.1, 1767225600000000, 'joined'
           FROM version v JOIN segment s ON s.version_id = v.id AND s.position = 0, customer c WHERE c.id >= {first}""",
    ],
}
COUNT = """UPDATE workspace SET n_customers = n_customers + {customers}, n_events = n_events + {events};
    UPDATE version SET n_customers = n_customers + {customers}"""


def grow(server, n_customers, n_events):
    """Fills a store while no service runs."""
    server.start()
    client = server.client()
    texts = ["espresso crema beans", "boots trail hiking", "tomato garden seeds"]
    reviews = [{"customer_id": f"a{i:03}", "text": f"{texts[i % 3]} {texts[i % 3]}"} for i in range(30)]
    client.call("POST", "/v1/reviews:batch", {"reviews": reviews})
    job = client.call("POST", "/v1/segmentations/bench/fit", {"model": "tiny", "k": 3}).body
    while not client.get(f"/v1/jobs/{job['id']}")["finished_at"]:
        time.sleep(0.05)
    client.close()
    server.terminate()
    of = {"customers": n_customers, "events": n_events, "events_each": n_events // n_customers}
    of["workspace"] = scalar(server.store, "SELECT min(id) FROM workspace")
    for statement in GROW[server.store.name]:
        # The first new customer: those before came from the reviews.
        of["first"] = scalar(server.store, "SELECT min(id) FROM customer WHERE external_id LIKE 'zz%'") or 0
        execute(server.store, statement.format(**of))
    for statement in COUNT.format(**of).split(";"):
        execute(server.store, statement)


def scalar(store, sql):
    if store.name == "postgres":
        return int(store.execute(sql) or 0)
    with sqlite3.connect(store.path) as database:
        return database.execute(sql).fetchone()[0]


def execute(store, sql):
    if store.name == "postgres":
        return store.execute(sql)
    database = sqlite3.connect(store.path)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -400000")
    with database:
        database.execute(sql)
    database.close()


def seconds_to_ready(server):
    begun = time.perf_counter()
    server.start()
    client = server.client()
    while client.call("GET", "/health/ready").status != 200:
        time.sleep(0.01)
    taken = time.perf_counter() - begun
    segments = client.get("/v1/customers/zz00000001/segments")["data"]
    assert len(segments) == 1, segments
    client.close()
    return taken


class Table:
    def __init__(self):
        self.rows = []

    def add(self, store, work, events_per_s=None, raw_fsync_per_s=None, rss_mb=None, **more):
        row = {"store": store, "work": work, "events_per_s": events_per_s, "raw_fsync_per_s": raw_fsync_per_s, "rss_mb": rss_mb} | more
        self.rows.append(row)
        shown = {"events/s": events_per_s, "raw fsync/s": raw_fsync_per_s, "rss MB": rss_mb} | more
        figures = "  ".join(f"{name} {value:>9,.6g}" for name, value in shown.items() if value is not None)
        print(f"{store:<9} {work:<52} {figures}", flush=True)


def measure_ingest(store, arguments, table):
    server = Server(store, can_break=False)
    try:
        folder = server.folder
        raw = round(raw_fsyncs_per_s(folder), 1)
        for n_rows in (1, BATCH):
            table.add(store, f"plain INSERTs, {n_rows} a transaction", round(plain_inserts(server.store, folder, n_rows)), raw)
        server.start()
        some = min(arguments.events // 10, 100_000)
        for n_writers in (1, 4):
            ingest = Ingest(server, some, n_writers, first=10**9 * n_writers)
            speed = round(ingest.run())
            table.add(store, f"HTTP, batches of {BATCH}, {n_writers} connection(s)", speed, raw, rss_mb(server.process.pid))
        marks = [arguments.events // 10, arguments.events // 2, arguments.events]
        ingest = Ingest(server, arguments.events, 4, first=0, marks=marks)
        speed = round(ingest.run())
        for mark in marks:
            table.add(store, f"HTTP, after {mark:,} events", speed if mark == marks[-1] else None, raw, ingest.rss_mb[mark])
    finally:
        server.stop()


def measure_open(store, arguments, table):
    server = Server(store, can_break=False)
    try:
        begun = time.perf_counter()
        grow(server, arguments.customers, arguments.open_events)
        print(f"{store}: a store of {arguments.customers:,} customers and {arguments.open_events:,} events made in {time.perf_counter() - begun:.0f} s", flush=True)
        of = f"{arguments.customers:,} customers, {arguments.open_events:,} events"
        table.add(store, f"opens {of}", rss_mb=None, seconds=round(seconds_to_ready(server), 3))
        server.kill()
        table.add(store, "… after SIGKILL", seconds=round(seconds_to_ready(server), 3), rss_mb=rss_mb(server.process.pid))
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=[*STORES, "both"], default="both")
    parser.add_argument("--events", type=int, default=1_000_000, help="that come in while the memory is looked at")
    parser.add_argument("--customers", type=int, default=1_000_000, help="of the store that is opened")
    parser.add_argument("--open-events", type=int, default=10_000_000)
    arguments = parser.parse_args()
    table, load = Table(), os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load {load:.1f} at the start; every commit is synced", flush=True)
    for store in STORES if arguments.store == "both" else [arguments.store]:
        measure_ingest(store, arguments, table)
        measure_open(store, arguments, table)
    target = ROOT / "target/bench/store.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"load": load, "processors": os.cpu_count(), "rows": table.rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
