"""The soak has to be able to fail: a service that answers before it has committed, and rows changed behind its back, are found."""

import json
import queue
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from checker import Expected, check, check_counts
from facts import Fact
from server import Gone, Server
from soak import Soak

SEED = 20_261_124


def kinds(findings):
    return sorted({finding.kind for finding in findings})


class Hasty:
    """Stands before the service, answers at once that everything was taken, and hands it on later: an acknowledgement before the commit.

    What it has not handed on when the service dies is lost, as it would be with a service like that.
    """

    def __init__(self, server):
        self.server, self.waiting = server, queue.Queue()
        self.front = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.front.daemon_threads = True
        self.address = f"127.0.0.1:{self.front.server_port}"
        for work in [self.front.serve_forever, self.hand_on]:
            threading.Thread(target=work, daemon=True).start()

    def handler(hasty):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                hasty.waiting.put((hasty.server.process, self.path, body))
                (things,) = json.loads(body).values()
                answer = json.dumps({"accepted": len(things), "duplicate": 0, "suppressed": 0, "rejected": []}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def hand_on(self):
        while True:
            process, path, body = self.waiting.get()
            # Later: a disk's time after it has said that it is there.
            time.sleep(0.01)
            if process is None or self.server.process is not process:
                continue
            client = self.server.client()
            try:
                client.call("POST", path, body)
            except Gone:
                pass
            client.close()

    def close(self):
        self.front.shutdown()
        self.front.server_close()


class ServicesThatAreWrong(unittest.TestCase):
    def test_an_acknowledgement_before_the_commit_is_found(self):
        server = Server()
        hasty = Hasty(server)
        soak = Soak(server, SEED, address=lambda: hasty.address)
        soak.next_kind = lambda: None
        try:
            for _ in range(2):
                soak.round()
            soak.finish()
        finally:
            hasty.close()
            server.stop()
        self.assertIn("missing", kinds(soak.findings), soak.report())

    def test_rows_changed_behind_its_back_are_found(self):
        server = Server()
        soak = Soak(server, SEED)
        soak.next_kind = lambda: None
        try:
            soak.round()
            soak.finish()
            self.assertEqual(soak.findings, [], soak.report())
            for sql, found in CHANGES:
                self.assertEqual(server.store.execute(sql), 1, sql)
                soak.findings = []
                soak.finish()
                self.assertEqual(kinds(soak.findings), sorted(found), f"{sql}: {soak.findings}")
        finally:
            server.stop()


# Each change of a row, and what has to be found then and from then on.
CHANGES = [
    ("UPDATE review SET text = 'other words' WHERE seq = (SELECT max(seq) FROM review)", ["malformed"]),
    ("UPDATE workspace SET n_orders = n_orders + 1", ["malformed", "counts"]),
    ("DELETE FROM event WHERE id = (SELECT min(id) FROM event)", ["malformed", "counts", "missing"]),
    ("INSERT INTO customer (workspace_id, external_id, created_at) VALUES (1, 'nobody', 0)", ["malformed", "counts", "missing", "phantom"]),
]


class TheChecks(unittest.TestCase):
    """The pure part, shown each kind of wrong."""

    ONE, TWO = Fact("event", "1", "ann", "x"), Fact("event", "2", "ann", "y")

    def test_what_is_as_it_was_sent_is_right(self):
        self.assertEqual(check(Expected([self.ONE], [[self.TWO]]), [self.ONE]), [])
        self.assertEqual(check(Expected([self.ONE], [[self.TWO]]), [self.TWO, self.ONE]), [])

    def test_each_wrong_has_its_name(self):
        table = [
            ("missing", Expected([self.ONE, self.TWO]), [self.ONE]),
            ("phantom", Expected([self.ONE]), [self.ONE, self.TWO]),
            ("duplicate", Expected([self.ONE]), [self.ONE, self.ONE]),
            ("malformed", Expected([self.ONE]), [Fact("event", "1", "ann", "z")]),
            ("malformed", Expected([self.ONE]), [Fact("event", "1", "bob", "x")]),
            ("torn", Expected([], [[self.ONE, self.TWO]]), [self.TWO]),
        ]
        for kind, expected, found in table:
            self.assertEqual(kinds(check(expected, found)), [kind], f"{expected} {found}")

    def test_counts_that_differ_are_told(self):
        counts = {"events": 3, "orders": 1}
        self.assertEqual(check_counts(counts, {"events": 3, "orders": 1}), [])
        self.assertEqual(kinds(check_counts(counts, {"events": 3, "orders": 2})), ["counts"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
