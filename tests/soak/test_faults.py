"""The machine under the service goes wrong while it runs: no room on the disk, a disk that does not sync, a clock that is a day off, a
network that loses the answer. What was acknowledged is there once, and the service goes on by itself when it passes.

The faults are put under the real program (faults.c); where no C compiler is, they are skipped by name, and in CI that is an error.
"""

import os
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from facts import BATCHES_IN_EPOCH, CALLS, ITEMS, REVIEWS, batch
from proxy import Drop, Plan, Proxy
from server import PATIENCE_S, Client, Gone, Server
from soak import DAY_S, Soak, stores
from work import Import

SEED = int(os.environ.get("SEED", 20_261_124))
NO_FAULTS = "there is no C compiler, or this is not Linux"
EVERY_STORE = stores("both")


def with_faults(test, server):
    if not server.faults.can:
        server.stop()
        assert os.environ.get("CI") != "true", NO_FAULTS
        test.skipTest(NO_FAULTS)
    return server


def until(what, holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited for {what} in vain"
        time.sleep(0.005)


class ADisk(unittest.TestCase):
    """The embedded store's; a PostgreSQL server's disk is its own."""

    def setUp(self):
        self.server = with_faults(self, Server())
        self.soak = Soak(self.server, SEED)
        self.soak.next_kind = lambda: None
        self.addCleanup(self.server.stop)

    def writing_through(self, meanwhile, **fault):
        """Writers are at it while the fault begins, `meanwhile` is looked at, and the fault is over; then all is counted."""
        server, crowd = self.server, self.soak.crowd
        server.start()
        crowd.begin(self.soak.writing_client)
        until("batches", lambda: crowd.n_acknowledged() > 20)
        server.faults.set(**fault)
        until("a refusal", lambda: crowd.total("n_refused") > 5)
        client = server.client()
        meanwhile(client)
        server.faults.set(**dict.fromkeys(fault, 0))
        before = crowd.n_acknowledged()
        until("batches afterwards", lambda: crowd.n_acknowledged() > before + 20)
        server.kill()
        crowd.end()
        self.soak.finish()
        self.assertEqual(self.soak.findings, [], self.soak.report())

    def reads_go_on(self, client):
        for path in ["/health/ready", "/v1/workspace", "/v1/customers", "/v1/items", "/v1/jobs", "/v1/customers/w0-0-0/export"]:
            self.assertEqual(client.call("GET", path).status, 200, path)

    def refused(self, client, status, code, retry_after):
        """Every way in says the same, and when to come back."""
        filler = "x" * 400_000
        ways = [
            (CALLS, {"batch": [{"type": "track", "userId": "nobody", "event": filler[:200], "properties": {"x": filler[:20_000]}}] * 20}),
            (REVIEWS, {"reviews": [{"customer_id": "nobody", "text": f"{i} {filler}"} for i in range(5)]}),
            (ITEMS, {"items": [{"item_id": f"nothing-{i}", "description": filler[:32_000]} for i in range(60)]}),
            ("/v1/imports?kind=events&format=ndjson", filler.encode()),
        ]
        for path, body in ways:
            answer = client.call("POST", path, body)
            self.assertEqual((answer.status, answer.code), (status, code), f"{path}: {answer.body}")
            self.assertEqual(answer.headers["retry-after"], retry_after, path)
        self.assertEqual(client.call("GET", "/v1/customers/nobody").status, 404)

    def test_without_room_writes_are_refused_and_reads_go_on_until_there_is_room(self):
        def meanwhile(client):
            self.refused(client, 507, "store_full", "10")
            self.reads_go_on(client)

        self.writing_through(meanwhile, disk_is_full=1)

    def test_what_does_not_reach_the_disk_is_not_acknowledged(self):
        def meanwhile(client):
            before = self.soak.crowd.n_acknowledged()
            self.refused(client, 503, "store_unavailable", "1")
            self.reads_go_on(client)
            refused = self.soak.crowd.total("n_refused")
            until("more refusals", lambda: self.soak.crowd.total("n_refused") > refused + 20)
            # One of each writer may have been synced before the fault began and been counted after it.
            self.assertLessEqual(self.soak.crowd.n_acknowledged() - before, len(self.soak.crowd.writers))

        self.writing_through(meanwhile, sync_fails=1)


class AClock(unittest.TestCase):
    """Stepped a day forward and back while the service runs, and between two of its lives."""

    def test_nothing_is_lost_or_doubled_whatever_the_clock_says(self):
        for store in EVERY_STORE:
            with self.subTest(store=store):
                self.step(with_faults(self, Server(store)))

    def step(self, server):
        soak, imports, made = Soak(server, SEED), [], [batch(SEED, "w0", number) for number in range(4)]
        try:
            for life, steps in enumerate([(0, DAY_S, -DAY_S), (-DAY_S, DAY_S, 0)]):
                server.faults.set(clock_offset_s=steps[0])
                server.start()
                client = server.client()
                for n, offset in enumerate(steps):
                    imports.append(self.import_across(soak, client, 10 * life + n, offset))
                    for sent in made:
                        self.send_again(client, sent, is_first=(life, n) == (0, 0))
                self.check_all(client, soak, made, imports)
                server.kill()
        finally:
            server.stop()

    @staticmethod
    def import_across(soak, client, number, offset):
        """An import that is under way while the clock is stepped."""
        job = Import(soak, number)
        job.begin(client)
        soak.server.faults.set(clock_offset_s=offset)
        return job

    def send_again(self, client, sent, is_first):
        answer = client.call("POST", sent.route, sent.body)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.body["accepted" if is_first else "duplicate"], sent.n, answer.body)

    def check_all(self, client, soak, made, imports):
        for job in imports:
            # The same idempotency key gives the same job, and its facts are there once.
            self.assertEqual(job.end(client), [])
        self.assertEqual(len({job.id for job in imports}), len(imports))
        listed = [job["id"] for job in client.pages("/v1/jobs", limit=2)]
        self.assertEqual(sorted(listed), sorted(job.id for job in imports))
        writer = soak.crowd.writers[0]
        writer.states[:] = bytes([2]) * len(made)
        self.assertEqual(soak.check_epoch(client, writer, 0) + soak.check_counts(client), [])


class ANetwork(unittest.TestCase):
    """It loses the answer after the service has committed; the client, which knows nothing, sends again."""

    N_BATCHES = BATCHES_IN_EPOCH

    def test_what_was_committed_without_the_client_hearing_of_it_is_there_once(self):
        for store in EVERY_STORE:
            with self.subTest(store=store):
                server = Server(store)
                try:
                    self.lose_answers(server)
                finally:
                    server.stop()

    def lose_answers(self, server):
        server.start()
        soak = Soak(server, SEED)
        writer = soak.crowd.writers[0]
        with Proxy(server, Plan([Drop(), None, Drop(), Drop()] * self.N_BATCHES)) as proxy:
            client = Client(proxy.url.removeprefix("http://"))
            for number in range(self.N_BATCHES):
                self.send_until_answered(client, writer.batch(number))
                writer.states.append(2)
            client.close()
        total = sum(writer.batch(number).n for number in range(self.N_BATCHES))
        self.assertEqual(proxy.total("accepted"), total)
        self.assertGreater(proxy.total("duplicate"), 0)
        client = server.client()
        self.assertEqual(soak.check_epoch(client, writer, 0) + soak.check_counts(client), [])

    def send_until_answered(self, client, made):
        while True:
            try:
                answer = client.call("POST", made.route, made.body)
            except Gone:
                continue
            self.assertEqual((answer.status, answer.body["rejected"]), (200, []), answer.body)
            return


if __name__ == "__main__":
    print(f"SEED={SEED}", file=sys.stderr)
    unittest.main(verbosity=2)
