"""Writers that send batch after batch, remember what was acknowledged, and send again what was not, as a shop's clients do."""

import threading
from random import Random

from checker import Expected, Finding
from facts import BATCHES_IN_EPOCH, batch, customers_of
from server import Gone

UNANSWERED, ACKNOWLEDGED = 1, 2
# An answer that came and is thrown away: to the service it is a client that never heard of its success.
SHARE_LOST = 0.03
# After a kill most of what was unanswered is sent again; the rest shows that nobody else brings it in.
SHARE_SENT_AGAIN = 0.8
# Answers that say "try again": nothing is known to be wrong, and nothing is acknowledged.
AGAIN = (429, 503, 507)


class Writer:
    def __init__(self, name, seed):
        self.name, self.seed = name, seed
        self.states = bytearray()  # Of each batch that was sent, by number.
        self.to_send_again = []
        self.chance = Random(f"{seed}/{name}")
        self.n_facts, self.n_lost, self.n_again, self.n_refused = 0, 0, 0, 0
        self.findings = []

    def batch(self, number):
        return batch(self.seed, self.name, number)

    @property
    def epoch(self):
        return max(0, len(self.states) - 1) // BATCHES_IN_EPOCH

    def write(self, client, stop):
        """Sends until told to stop, or until the service is gone."""
        try:
            while not stop.is_set():
                if self.to_send_again:
                    self.send(client, self.to_send_again.pop(), True)
                else:
                    self.states.append(UNANSWERED)
                    self.send(client, len(self.states) - 1, False)
        except Gone:
            return
        finally:
            client.close()

    def send(self, client, number, again):
        made = self.batch(number)
        answer = client.call("POST", made.route, made.body)
        if answer.status in AGAIN:
            self.n_refused += 1
            self.to_send_again.append(number)
            return
        self.n_again += again
        if not self.is_right(answer, made):
            self.findings.append(Finding("malformed", f"batch {self.name}-{number} was answered {answer.status} {answer.body}"))
        elif self.chance.random() < SHARE_LOST:
            self.n_lost += 1
            self.to_send_again.append(number)
        else:
            if self.states[number] != ACKNOWLEDGED:
                self.n_facts += made.n
            self.states[number] = ACKNOWLEDGED

    @staticmethod
    def is_right(answer, made):
        if answer.status != 200:
            return False
        taken = answer.body
        return taken["accepted"] + taken["duplicate"] + taken["suppressed"] == made.n and not taken["rejected"]

    def plan_again(self):
        """After a kill: which of the unanswered batches are sent again."""
        open_ = [number for number, state in enumerate(self.states) if state == UNANSWERED and number >= self.oldest_open()]
        self.to_send_again = [number for number in open_ if self.chance.random() < SHARE_SENT_AGAIN]

    def oldest_open(self):
        """Older ones had their chance."""
        return max(0, len(self.states) - 2 * BATCHES_IN_EPOCH)

    def numbers_of(self, customer):
        """The acknowledged batches that tell of a customer."""
        first = int(customer.split("-")[1]) * BATCHES_IN_EPOCH
        numbers = [n for n in range(first, min(first + BATCHES_IN_EPOCH, len(self.states))) if self.states[n] == ACKNOWLEDGED]
        return [number for number in numbers if any(fact.customer == customer for fact in self.batch(number).facts)]

    def expected(self, epoch, erased):
        """What has to be there, or may be, of an epoch's customers; nothing is expected of the erased."""
        expected = Expected()
        first = epoch * BATCHES_IN_EPOCH
        for number in range(first, min(first + BATCHES_IN_EPOCH, len(self.states))):
            facts = [fact for fact in self.batch(number).facts if fact.customer not in erased]
            if self.states[number] == ACKNOWLEDGED:
                expected.acknowledged += facts
            elif facts:
                expected.unanswered.append(facts)
        return expected


class Crowd:
    """All writers at once, from when the service listens until it dies."""

    def __init__(self, names, seed):
        self.writers = [Writer(name, seed) for name in names]
        self.threads, self.stop = [], None

    def begin(self, address_of):
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=writer.write, args=(address_of(), self.stop), daemon=True) for writer in self.writers
        ]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        for writer in self.writers:
            writer.plan_again()

    def n_acknowledged(self):
        """Batches."""
        return sum(writer.states.count(ACKNOWLEDGED) for writer in self.writers)

    def total(self, figure):
        return sum(getattr(writer, figure) for writer in self.writers)

    def findings(self):
        return [finding for writer in self.writers for finding in writer.findings]

    def customers(self):
        """Everyone who was ever named by their own id."""
        return {customer for writer in self.writers for epoch in range(writer.epoch + 1) for customer in customers_of(writer.name, epoch)}


