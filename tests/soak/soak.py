#!/usr/bin/env python3
"""Kills the service with SIGKILL again and again while clients write and jobs run, and compares what it acknowledged with what it has.

What is sent, in what work the service is killed and after how much of it follows from the seed, which is printed first; how the threads
of a machine interleave does not. Ends with 1 when anything is missing, was never sent, is there twice or is not as it was sent.
"""

import argparse
import os
import sys
import threading
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent))
from checker import KINDS as FINDINGS
from checker import Finding, check, check_counts
from facts import customers_of, observed, observed_item
from moves import MOVES
from server import STORES, Gone, Postgres, Server
from work import KINDS
from writers import Crowd

# Everything is read at the end; so many rounds apart it is counted before.
ROUNDS_BETWEEN_COUNTS = 10
# A round's writing ends after so many batches that all writers together had acknowledged.
BATCHES = (1, 90)
DAY_S = 24 * 60 * 60


class Soak:
    def __init__(self, server, seed, writers=3, address=None):
        self.server, self.seed = server, seed
        self.chance = Random(seed)
        # Where the writers send to; a test puts something between.
        self.address = address or (lambda: server.address)
        self.crowd = Crowd([f"w{i}" for i in range(writers)], seed)
        self.checked = {writer.name: 0 for writer in self.crowd.writers}
        self.erased, self.imported = set(), {}
        self.kinds = [kind for kind in [*KINDS, *MOVES] if kind.is_for(server.store.name)]
        self.kills = {"writing": 0} | {kind.__name__.lower(): 0 for kind in self.kinds} | {"starting": 0}
        self.n_rounds, self.n_jobs = 0, 0
        self.findings = []

    def round(self):
        """From one quiet moment to the next: everything that was going on is done, and what was touched is right."""
        kind, clock = self.next_kind(), self.chance.choice([-DAY_S, 0, 0, DAY_S])
        n_batches, pause, again = self.chance.randint(*BATCHES), self.chance.random(), self.chance.random() < 0.3
        self.server.start()
        self.server.faults.set(clock_offset_s=clock)
        self.crowd.begin(self.writing_client)
        job = kind(self, self.n_rounds) if kind else None
        self.until_the_kill(job, n_batches, pause)
        self.server.kill()
        self.crowd.end()
        if job:
            job.after_the_kill()
            self.asking.join()
        self.kills[kind.__name__.lower() if kind else "writing"] += 1
        if again:
            self.killed_while_it_takes_up(pause)
        self.server.start()
        self.settle(job)
        self.server.kill()
        self.n_rounds += 1

    def writing_client(self):
        client = self.server.client()
        client.address = self.address()
        return client

    def next_kind(self):
        """In turn, so that a short run has all of them; and after the last one nothing but writing."""
        at = self.n_rounds % (len(self.kinds) + 1)
        kind = self.kinds[at - 1] if at else None
        return kind if kind is None or kind.__name__ != "Erase" or self.who_can_be_erased() else None

    def until_the_kill(self, job, n_batches, pause):
        """The moment: so many batches later, or somewhere between the first byte of the request for a job and its end."""
        target = self.crowd.n_acknowledged() + n_batches
        if job:
            self.asking = threading.Thread(target=self.ask_for, args=(job,), daemon=True)
            self.asking.start()
            # Early more often than late: that is where a job is half accepted.
            time.sleep(pause * pause * job.seconds)
        while job is None and self.crowd.n_acknowledged() < target:
            if not any(thread.is_alive() for thread in self.crowd.threads):
                raise AssertionError(f"the service went away by itself:\n{''.join(self.server.said[-20:])}")
            time.sleep(0.001)

    def ask_for(self, job):
        client = self.server.client()
        try:
            job.begin(client)
        except Gone:
            pass
        except AssertionError as error:
            self.findings.append(Finding("job", str(error)))
        client.close()

    def killed_while_it_takes_up(self, pause):
        """Once more, in the middle of what is done after a start."""
        self.server.start()
        time.sleep(pause)
        self.server.kill()
        self.kills["starting"] += 1

    def settle(self, job):
        client = self.server.client()
        if job:
            self.findings += job.end(client)
            self.n_jobs += 1
        self.quiet(client)
        self.findings += self.crowd.findings()
        for writer in self.crowd.writers:
            for epoch in range(self.checked[writer.name], writer.epoch + 1):
                self.findings += self.check_epoch(client, writer, epoch)
            self.checked[writer.name] = writer.epoch
        if self.n_rounds % ROUNDS_BETWEEN_COUNTS == 0:
            self.findings += self.check_counts(client)
        client.close()

    def quiet(self, client):
        """Every job has ended: nothing is written any more."""
        while any(job["finished_at"] is None for job in client.pages("/v1/jobs")):
            time.sleep(0.02)

    def finish(self):
        """Everything that was ever sent, read once more."""
        self.server.start()
        self.server.faults.set(clock_offset_s=0)
        client = self.server.client()
        for writer in self.crowd.writers:
            for epoch in range(writer.epoch + 1):
                self.findings += self.check_epoch(client, writer, epoch)
        for job in set(self.imported.values()):
            self.findings += job.check(client)
        self.findings += self.check_counts(client)
        client.close()
        self.server.kill()

    def check_epoch(self, client, writer, epoch):
        expected = writer.expected(epoch, self.erased)
        found = [fact for customer in customers_of(writer.name, epoch) for fact in self.facts_of(client, customer)]
        items = [fact for facts in [expected.acknowledged, *expected.unanswered] for fact in facts if fact.kind == "item"]
        for item in items:
            answer = client.call("GET", f"/v1/items/{item.id}")
            found += [observed_item(answer.body)] if answer.status == 200 else []
        return check(expected, found)

    @staticmethod
    def facts_of(client, customer):
        answer = client.call("GET", f"/v1/customers/{customer}/export")
        if answer.status == 404:
            return []
        if answer.status != 200:
            raise AssertionError(f"{customer} cannot be read: {answer.status} {answer.body}")
        return observed(answer.body)

    def check_counts(self, client):
        """What the workspace counts is what paging finds, and nobody is there who was never sent."""
        totals = dict.fromkeys(("customers", "reviews", "events", "orders"), 0)
        known = self.crowd.customers() | set(self.imported)
        seen, findings = set(), []
        for customer in client.pages("/v1/customers"):
            id = customer["customer_id"]
            if id in seen or id not in known:
                findings.append(Finding("duplicate" if id in seen else "phantom", f"the customer {id}"))
            seen.add(id)
            totals["customers"] += 1
            for name in ("reviews", "events", "orders"):
                totals[name] += customer[f"n_{name}"]
        totals["items"] = sum(1 for _ in client.pages("/v1/items"))
        return findings + check_counts(client.get("/v1/workspace"), totals)

    def who_can_be_erased(self):
        """Customers of epochs that nobody writes to any more."""
        return [writer for writer in self.crowd.writers if writer.epoch > 2]

    def whom_to_erase(self, chance):
        while True:
            writer = chance.choice(self.who_can_be_erased())
            customer = chance.choice(customers_of(writer.name, chance.randrange(writer.epoch - 2)))
            if customer not in self.erased and writer.numbers_of(customer):
                return writer, customer

    def report(self):
        kills = ", ".join(f"{n} in {name}" for name, n in self.kills.items() if n)
        total = self.crowd.total
        found = ", ".join(f"{sum(f.kind == kind for f in self.findings)} {kind}" for kind in FINDINGS)
        return (
            f"{self.server.store.name}: seed {self.seed}, {sum(self.kills.values())} kills ({kills}), {self.n_jobs} jobs, "
            f"{total('n_facts'):,} facts acknowledged, {total('n_again')} batches sent again, {total('n_lost')} answers lost; {found}"
        )


def run(store, seed, seconds):
    print(f"soak: {store}, seed {seed}, {seconds:.0f} s; `make soak SOAK_ARGS='--store {store} --seed {seed}'` repeats its choices", flush=True)
    server = Server(store)
    soak = Soak(server, seed)
    end, told = time.monotonic() + seconds, time.monotonic()
    try:
        while time.monotonic() < end and not soak.findings:
            soak.round()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"soak: {soak.report()}", flush=True)
        if not soak.findings:
            soak.finish()
        print(f"soak: {soak.report()}", flush=True)
        for finding in soak.findings[:30]:
            print(f"soak: round {soak.n_rounds}: {finding}", flush=True)
        return not soak.findings
    finally:
        server.stop()


def stores(asked):
    if asked != "both":
        return [asked]
    if Postgres.is_there() or os.environ.get("CI") == "true":
        return list(STORES)
    print("soak: there is no PostgreSQL; its half is skipped")
    return ["sqlite"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600, help="of both stores together (an hour)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--store", choices=[*STORES, "both"], default="both")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else Random().randrange(1_000_000)
    chosen = stores(arguments.store)
    sys.exit(0 if all([run(store, seed, arguments.seconds / len(chosen)) for store in chosen]) else 1)


if __name__ == "__main__":
    main()
