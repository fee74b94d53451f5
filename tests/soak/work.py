"""The kinds of long work that the service is killed in. A new kind of job is one more class here, and its place in KINDS.

Each has `begin`, which asks for the job as a client would, and may find the service gone at any call; and `end`, which is called once the
service stands again: it asks again where no answer came, waits for the job to end, and says what is wrong with its result.
"""

import json
import time
from random import Random

from checker import Expected, Finding, check
from facts import Maker, batch, observed, sha256
from server import PATIENCE_S


class Job:
    # How long it takes on an idle machine, about: kills come within this time of its acceptance.
    seconds = 1.0

    def __init__(self, soak, number):
        self.soak, self.number = soak, number
        self.chance = Random(f"{soak.seed}/{type(self).__name__}/{number}")
        self.id = None

    @staticmethod
    def is_for(store):
        return True

    def after_the_kill(self):
        """While the service is down."""

    def finished(self, client):
        """The job at its end."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            job = client.get(f"/v1/jobs/{self.id}")
            if job["finished_at"]:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{type(self).__name__} {self.id} does not end: {job}")

    def result(self, client, findings):
        """The result; a job that failed or does not exist is a finding."""
        job = self.finished(client)
        if job["state"] != "succeeded":
            findings.append(Finding("job", f"{type(self).__name__} {self.id} ended {job['state']}: {job['error']}"))
            return None
        return job["result"]


class Import(Job):
    """A file of every kind of call, sent with an idempotency key: accepted once, however often it is sent."""

    rows, seconds = 1_500, 1.5

    def __init__(self, soak, number):
        super().__init__(soak, number)
        tag = f"import-{number}"
        maker = Maker(self.chance, tag, [f"{tag}-{i}" for i in range(8)], number)
        calls = [call for i in range(self.rows) for call in maker.calls(i)]
        self.facts, self.customers, self.n = maker.facts, maker.customers, len(calls)
        self.file = "".join(json.dumps(call) + "\n" for call in calls).encode()

    def begin(self, client):
        headers = {"idempotency-key": f"soak-{self.number}", "content-type": "application/octet-stream"}
        answer = client.call("POST", "/v1/imports?kind=events&format=ndjson", self.file, headers)
        if answer.status != 202:
            raise AssertionError(f"the import was answered {answer.status} {answer.body}")
        self.id = answer.body["id"]

    def end(self, client):
        findings, before = [], self.id
        self.begin(client)
        if before not in (None, self.id):
            findings.append(Finding("job", f"the import {before} is another with the same key: {self.id}"))
        result = self.result(client, findings)
        if result and (result["rows"], result["rejected"]) != (self.n, 0):
            findings.append(Finding("job", f"{self.n} rows were imported as {result}"))
        self.soak.imported.update(dict.fromkeys(self.customers, self))
        return findings + self.check(client)

    def check(self, client):
        found = [fact for customer in self.customers for fact in self.soak.facts_of(client, customer)]
        return check(Expected(self.facts), found)


class Fit(Job):
    """Embedding, clustering and publishing: versions are whole, one is live, and its members are those it counts."""

    seconds = 2.0
    path = "/v1/segmentations/soak"

    def begin(self, client):
        answer = client.call("POST", f"{self.path}/fit", {"model": "tiny", "k": 3})
        if answer.status != 202:
            raise AssertionError(f"the fit was answered {answer.status} {answer.body}")
        self.id = answer.body["id"]

    def end(self, client):
        findings = []
        if self.id is None:
            self.begin(client)
        result = self.result(client, findings)
        return findings + (self.check_versions(client) if result else [])

    def check_versions(self, client):
        versions = list(client.pages(f"{self.path}/versions"))
        numbers = sorted(version["version"] for version in versions)
        live = [version for version in versions if version["state"] == "live"]
        findings = []
        if numbers != list(range(1, len(numbers) + 1)) or len(live) != 1:
            findings.append(Finding("job", f"versions {numbers}, of which live {[version['version'] for version in live]}"))
            return findings
        members = [member["customer_id"] for member in client.pages(f"{self.path}/members")]
        if len(set(members)) != len(members) or len(members) != live[0]["n_customers"]:
            what = f"version {live[0]['version']} of {live[0]['n_customers']} customers has {len(members)} members, {len(set(members))} of them different"
            findings.append(Finding("job", what))
        return findings


class Erase(Job):
    """A customer is there whole or gone whole; the proof counts what was there; what comes later is not kept."""

    seconds = 0.15

    def __init__(self, soak, number):
        super().__init__(soak, number)
        self.writer, self.customer = soak.whom_to_erase(self.chance)
        self.before = None

    def begin(self, client):
        self.before = client.get(f"/v1/customers/{self.customer}/export")
        self.soak.erased.add(self.customer)
        self.ask(client)

    def ask(self, client):
        answer = client.call("DELETE", f"/v1/customers/{self.customer}")
        if answer.status == 202:
            self.id = answer.body["id"]
        elif answer.status != 404:
            raise AssertionError(f"the erasure was answered {answer.status} {answer.body}")
        return answer.status

    def end(self, client):
        findings = []
        if self.before is None:
            self.begin(client)
        elif self.id is None:
            findings += self.whole_or_gone(client)
            if self.ask(client) == 404:
                self.soak.quiet(client)
                self.id = self.proof(client)
        if self.id is None:
            findings.append(Finding("job", f"{self.customer} is erased, and there is no proof of it"))
        elif result := self.result(client, findings):
            findings += self.check_proof(result)
        return findings + self.check_gone(client) + self.check_suppressed(client)

    def whole_or_gone(self, client):
        """Before it is asked for again."""
        answer = client.call("GET", f"/v1/customers/{self.customer}/export")
        if answer.status == 404:
            return []
        facts = lambda export: sorted(map(repr, observed(export)))
        return [] if facts(answer.body) == facts(self.before) else [Finding("torn", f"{self.customer} is half erased")]

    def proof(self, client):
        """The erasure's job, found by the hash of the id, where the service died before it told the job's number."""
        for job in client.pages("/v1/jobs"):
            if job["kind"] == "erase" and (job["result"] or {}).get("customer_sha256") == sha256(self.customer):
                return job["id"]
        return None

    def check_proof(self, result):
        told = {name: len(self.before[name]) for name in ("events", "reviews", "orders", "refunds")}
        told["ids"] = 1 + len(self.before["customer"]["aliases"])
        removed = {name: result["removed"][name] for name in told}
        if (removed, result["customer_sha256"]) == (told, sha256(self.customer)):
            return []
        return [Finding("job", f"the erasure of {self.customer} removed {removed}; there were {told}")]

    def check_gone(self, client):
        ids = [self.customer, *self.before["customer"]["aliases"]]
        there = [id for id in ids if client.call("GET", f"/v1/customers/{id}").status != 404]
        return [Finding("phantom", f"{id} is there after the erasure") for id in there]

    def check_suppressed(self, client):
        """A batch that told of them comes again: nothing of them is kept."""
        number = self.chance.choice(self.writer.numbers_of(self.customer))
        made = batch(self.soak.seed, self.writer.name, number)
        answer = client.call("POST", made.route, made.body)
        if answer.status != 200 or answer.body["accepted"] or client.call("GET", f"/v1/customers/{self.customer}").status != 404:
            return [Finding("phantom", f"{self.customer} came back with {answer.body}")]
        return []


class Consent(Job):
    """What a customer withdrew and was told is withdrawn holds, whatever is killed; unanswered, it holds or does not."""

    seconds = 0.05

    def __init__(self, soak, number):
        super().__init__(soak, number)
        self.customer, self.is_told = f"consent-{number}", False
        soak.imported[self.customer] = self

    def begin(self, client):
        self.track(client, "before")
        self.withdraw(client)

    def track(self, client, id):
        call = {"type": "track", "event": "Lesson Watched", "userId": self.customer, "messageId": f"{self.customer}-{id}"}
        answer = client.call("POST", "/v1/batch", {"batch": [call]})
        if answer.status != 200:
            raise AssertionError(f"an event was answered {answer.status} {answer.body}")
        return answer.body

    def withdraw(self, client):
        asked = {"purposes": {"analytics": "withdrawn", "profiling": "withdrawn"}, "source": "soak"}
        answer = client.call("PUT", f"/v1/customers/{self.customer}/consent", asked)
        if answer.status != 200:
            raise AssertionError(f"a withdrawal was answered {answer.status} {answer.body}")
        self.is_told = True

    def end(self, client):
        if not self.is_told:
            self.begin(client)
        return self.check(client)

    def check(self, client):
        findings = []
        told = client.get(f"/v1/customers/{self.customer}/consent")
        states = {name: choice["state"] for name, choice in told["purposes"].items()}
        if states != {"analytics": "withdrawn", "marketing": "unknown", "profiling": "withdrawn"} or len(told["log"]) != 2:
            findings.append(Finding("missing", f"{self.customer} withdrew, and there is {told}"))
        later = self.track(client, f"after-{self.chance.random()}")
        segments = client.get(f"/v1/customers/{self.customer}/segments")
        if later["declined"] != 1 or segments.get("reason") != "profiling consent withdrawn":
            findings.append(Finding("phantom", f"{self.customer} withdrew; an event is {later}, a look-up {segments}"))
        return findings


class Retention(Job):
    """What has been kept for long enough goes whole and stays away; what is younger stays."""

    n_old, n_young, days, seconds = 1_500, 20, 3_650, 1.0

    def __init__(self, soak, number):
        super().__init__(soak, number)
        self.customer = f"retention-{number}"
        soak.imported[self.customer] = self
        self.old = [self.call(f"old-{i}", "2001-01-01T00:00:00Z") for i in range(self.n_old)]
        self.young = [self.call(f"young-{i}", "2026-01-01T00:00:00Z") for i in range(self.n_young)]

    def call(self, id, time):
        call = {"type": "track", "event": "Lesson Watched", "timestamp": time, "properties": {"words": self.chance.choice("abc")}}
        return call | {"messageId": f"{self.customer}-{id}", "userId": self.customer}

    def begin(self, client):
        """Each of its steps may be done again."""
        self.keep(client, None)
        self.send(client, [*self.old, *self.young], ("accepted", "duplicate", "expired"))
        self.keep(client, self.days)
        self.ask(client)

    def keep(self, client, days):
        answer = client.call("PUT", "/v1/retention", {"events": days})
        if answer.status != 200:
            raise AssertionError(f"a retention was answered {answer.status} {answer.body}")

    def send(self, client, calls, kinds):
        answer = client.call("POST", "/v1/batch", {"batch": calls})
        if answer.status != 200 or sum(answer.body[kind] for kind in kinds) != len(calls):
            raise AssertionError(f"{len(calls)} events were answered {answer.status} {answer.body}")

    def ask(self, client):
        answer = client.call("POST", "/v1/retention:run", {}, {"idempotency-key": self.customer})
        if answer.status != 202:
            raise AssertionError(f"the retention was answered {answer.status} {answer.body}")
        self.id = answer.body["id"]

    def end(self, client):
        findings, before = [], self.id
        if before is None:
            self.begin(client)
        self.ask(client)
        if before not in (None, self.id):
            findings.append(Finding("job", f"the retention {before} is another with the same key: {self.id}"))
        # The daily one may have come before.
        result = self.result(client, findings)
        if result and result["removed"]["events"] > self.n_old:
            findings.append(Finding("job", f"{self.n_old} events are old, and {result} were removed"))
        return findings + self.check(client)

    def check(self, client):
        events = [event["message_id"] for event in client.get(f"/v1/customers/{self.customer}/export")["events"]]
        young = [call["messageId"] for call in self.young]
        if sorted(events) != sorted(young):
            return [Finding("phantom", f"{self.customer} has {len(events)} events, and {len(young)} are young enough")]
        try:
            self.send(client, self.old, ("expired",))
            self.send(client, self.young, ("duplicate",))
        except AssertionError as error:
            return [Finding("phantom", f"{self.customer} came back: {error}")]
        return []


KINDS = [Import, Erase, Fit, Consent, Retention]

