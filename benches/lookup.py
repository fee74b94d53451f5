#!/usr/bin/env python3
"""Latency of customer look-ups on loopback at a steady 200 requests/s, first alone, then with a fit running.

Starts the service on a free loopback port over a folder of its own, imports generated reviews, fits once, then sends look-ups on
a schedule (open loop: a late answer does not delay the next request, and its waiting counts). Standard library only.
"""

import argparse
import asyncio
import json
import random
import re
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENTELE = ROOT / "target/release/clientele"
WORDS = "coffee grinder espresso boots trail tent seeds garden soil oven bread flour desk cable screen baby toy pram".split()


def call(url, body=None, kind="application/json"):
    request = urllib.request.Request(url, data=body, headers={"content-type": kind}, method="POST" if body is not None else "GET")
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def finish(base, job):
    while not job["finished_at"]:
        time.sleep(0.2)
        job = call(f"{base}/v1/jobs/{job['id']}")
    if job["state"] != "succeeded":
        raise SystemExit(f"job failed: {job}")
    return job


async def one(host, port, path, due, latencies):
    await asyncio.sleep(max(0, due - time.perf_counter()))
    # The newest idle connection; one that has been idle for long may be closed by the service in this very moment.
    idle_since, connection = one.idle.pop() if one.idle else (0.0, None)
    if connection is None or time.perf_counter() - idle_since > 30:
        if connection:
            connection[1].close()
        connection = await asyncio.open_connection(host, port)
    reader, writer = connection
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
    await reader.readexactly(length)
    latencies.append((time.perf_counter() - due) * 1e3)
    assert head.startswith(b"HTTP/1.1 200"), head
    one.idle.append((time.perf_counter(), connection))


one.idle = []


async def measure(host, port, customers, seconds, rate, running):
    latencies, tasks, start = [], [], time.perf_counter() + 0.1
    for i in range(int(seconds * rate)):
        path = f"/v1/customers/{random.choice(customers)}/segments"
        due = start + i / rate
        tasks.append(asyncio.create_task(one(host, port, path, due, latencies)))
        # Hand out the schedule a second ahead, and stop when what should run beside is over.
        if i % rate == 0:
            await asyncio.sleep(max(0, due - time.perf_counter() - 1))
            if running and not await asyncio.to_thread(running):
                break
    await asyncio.gather(*tasks)
    return sorted(latencies)


def report(what, latencies):
    at = lambda q: latencies[min(len(latencies) - 1, int(q * len(latencies)))]
    row = dict(work=what, n=len(latencies), p50_ms=at(0.5), p90_ms=at(0.9), p99_ms=at(0.99), max_ms=latencies[-1])
    print("{work:<26} n {n:>6}  p50 {p50_ms:.2f} ms  p90 {p90_ms:.2f} ms  p99 {p99_ms:.2f} ms  max {max_ms:.2f} ms".format(**row), flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    arguments = parser.parse_args()
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        command = [CLIENTELE, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder]
        service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            port = next(int(found[1]) for line in service.stderr if (found := re.search(r"listening on http://127.0.0.1:(\d+)", line)))
            import threading
            threading.Thread(target=lambda: [None for _ in service.stderr], daemon=True).start()
            base = f"http://127.0.0.1:{port}"
            customers = [f"c{i}" for i in range(arguments.customers)]
            texts = lambda: " ".join(random.choices(WORDS, k=18))
            rows = "".join(f"{customer},{texts()}\n" for customer in customers)
            columns = "kind=reviews&format=csv&customer=user&text=body"
            finish(base, call(f"{base}/v1/imports?{columns}", ("user,body\n" + rows).encode(), "text/csv"))
            finish(base, call(f"{base}/v1/segmentations/bench/fit", b'{"k": 8}'))
            out = [report("alone", asyncio.run(measure("127.0.0.1", port, customers, arguments.seconds, arguments.rate, None)))]
            one.idle.clear()
            # New words, so that the fit embeds as well as clusters while we look up.
            rows = "".join(f"{customer},{texts()}\n" for customer in customers)
            finish(base, call(f"{base}/v1/imports?{columns}", ("user,body\n" + rows).encode(), "text/csv"))
            job = call(f"{base}/v1/segmentations/bench/fit", b'{"k": "auto"}')
            running = lambda: not call(f"{base}/v1/jobs/{job['id']}")["finished_at"]
            out.append(report("with a fit running", asyncio.run(measure("127.0.0.1", port, customers, 600, arguments.rate, running))))
        finally:
            service.terminate()
            service.wait(30)
    target = ROOT / "target/bench/lookup.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"rate_per_s": arguments.rate, "rows": out}, indent=2) + "\n")


if __name__ == "__main__":
    main()
