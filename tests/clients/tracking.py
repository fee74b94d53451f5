"""The real tracking clients of Segment and RudderStack, unchanged, against the built program.

First each makes every call it has, and what the service kept is read back. Then a proxy refuses, drops answers and kills the service:
once the client has flushed, every event is there exactly once. What is broken when follows from a seed that is printed; SEED=… repeats it.
"""

import base64
import os
import random
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

from proxy import KILL_STAGES, Answer, Drop, Plan, Proxy
from service import Service
from shop_calls import PRODUCTS, REVIEW, Story, row_of_events
from tracking_clients import installed

SEED = int(os.environ.get("SEED", random.randrange(1_000_000)))
# How far a time may be off: the way from the client to the service counts as a clock that is behind.
TIME_TOLERANCE = timedelta(seconds=20)
N_EVENTS_FOR_KILLS = 520
N_KILLS = 3

SERVICE, CLIENTS = None, []


def setUpModule():
    global SERVICE, CLIENTS
    print(f"SEED={SEED}", file=sys.stderr)
    CLIENTS = installed()
    SERVICE = Service()


def tearDownModule():
    if SERVICE:
        SERVICE.stop()


def at_once(check):
    """Runs the check for each client at the same time; all are waited for, then the first that failed is told."""
    with ThreadPoolExecutor(len(CLIENTS)) as pool:
        runs = [(client, pool.submit(check, client)) for client in CLIENTS]
    for client, run in runs:
        if run.exception():
            raise AssertionError(f"{client.name} (SEED={SEED}): {run.exception()}") from run.exception()


def close(time, expected):
    return abs(datetime.fromisoformat(time) - datetime.fromisoformat(expected)) < TIME_TOLERANCE


class EveryCall(unittest.TestCase):
    def test_what_was_said_is_read_back(self):
        at_once(lambda client: self.tell(client, "default", {}))

    def test_gzip_turned_on_or_off_changes_nothing(self):
        for client in (client for client in CLIENTS if client.can_pack):
            self.tell(client, "gzip", {"gzip": not client.packs})

    def tell(self, client, tag, options):
        story = Story(f"{tag}-{client.name.strip('@').replace('/', '-')}")
        with Proxy(SERVICE) as proxy:
            self.assertEqual(client.send(proxy.url, SERVICE.writer, story.calls, options), 0)
        self.assertTrue(all(answer["success"] for answer in proxy.answers), proxy.answers)
        self.assertEqual((proxy.total("accepted"), proxy.total("duplicate")), (len(story.calls), 0))
        self.check_customer(story)
        self.check_events(story)
        self.check_order(story)
        self.check_wire(client, proxy, options.get("gzip", client.packs))

    def check_customer(self, story):
        customer = SERVICE.get(f"/v1/customers/{story.ann}")
        self.assertEqual(sorted(customer["aliases"]), sorted([story.anonymous, story.old]))
        self.assertEqual((customer["is_known"], customer["groups"]), (True, ["acme"]))
        self.assertEqual(customer["traits"], customer["traits"] | {"country": "NZ", "age": 41})
        self.assertEqual((customer["n_reviews"], customer["n_orders"]), (1, 1))
        (review,) = customer["reviews"]
        self.assertEqual((review["text"], review["rating"], review["item_id"]), (REVIEW, 5, "p-1"))
        for other in [story.anonymous, story.old]:
            self.assertEqual(SERVICE.get(f"/v1/customers/{other}")["customer_id"], story.ann)
        merges = {merge["id"]: merge["reason"] for merge in SERVICE.pages("/v1/merges") if merge["customer_id"] == story.ann}
        self.assertEqual(merges, {story.anonymous: "claim", story.old: "alias"})

    def check_events(self, story):
        events = SERVICE.pages(f"/v1/customers/{story.ann}/events")
        events.reverse()
        expected = list(story.events())
        found = [(event["kind"], event["name"], event["told_under"]) for event in events]
        self.assertEqual(found, [(kind, name, under) for kind, name, _, under, _ in expected])
        for event, (_, name, time, _, properties) in zip(events, expected):
            self.assertTrue(close(event["time"], time), f"{name}: {event['time']} instead of {time}")
            self.assertEqual(event["properties"], event["properties"] | properties)
            self.assertNotIn("review_body", event["properties"])

    def check_order(self, story):
        (order,) = SERVICE.get(f"/v1/customers/{story.ann}/orders")["data"]
        total = order["total"]
        self.assertEqual((order["order_id"], total["minor"], total["currency"]), (story.order["order_id"], 1980, "EUR"))
        (line,), (product,) = order["lines"], PRODUCTS
        self.assertEqual((line["item_id"], line["quantity"], line["price_minor"]), (product["product_id"], 2, 990))

    def check_wire(self, client, proxy, packs):
        basic = "Basic " + base64.b64encode(f"{SERVICE.writer}:".encode()).decode()
        for seen in proxy.seen:
            self.assertEqual(seen.headers["authorization"], basic)
            self.assertEqual(seen.body.get("writeKey"), SERVICE.writer if client.key_in_body else None)
            self.assertEqual(seen.headers.get("content-encoding"), "gzip" if packs else None)

    def test_a_call_without_a_time_happened_when_the_client_took_it(self):
        def check(client):
            who, start = f"now-{client.name.replace('/', '-')}", datetime.now(timezone.utc)
            self.assertEqual(client.send(SERVICE.url, SERVICE.writer, [["track", {"userId": who, "event": "Ping"}]]), 0)
            (event,) = SERVICE.pages(f"/v1/customers/{who}/events")
            self.assertTrue(start - timedelta(seconds=1) < datetime.fromisoformat(event["time"]) <= datetime.now(timezone.utc))

        at_once(check)

    def test_ids_that_are_numbers_are_those_numbers_as_text(self):
        for user, client in enumerate((client for client in CLIENTS if client.takes_numbers), start=4_200):
            calls = [["group", {"userId": user, "groupId": 7}], ["track", {"userId": user, "event": "Ping"}]]
            self.assertEqual(client.send(SERVICE.url, SERVICE.writer, calls), 0, client.name)
            customer = SERVICE.get(f"/v1/customers/{user}")
            self.assertEqual((customer["groups"], customer["n_events"]), (["7"], 1), client.name)

    def test_rudderstacks_own_word_for_the_time_is_understood(self):
        for client in (client for client in CLIENTS if client.name.startswith("@rudderstack")):
            said = datetime.now(timezone.utc) - timedelta(days=3)
            call = {"userId": "original", "event": "Ping", "originalTimestamp": said.isoformat()}
            self.assertEqual(client.send(SERVICE.url, SERVICE.writer, [["track", call]]), 0)
            (event,) = SERVICE.pages("/v1/customers/original/events")
            self.assertTrue(close(event["time"], said.isoformat()), event["time"])


class WhatBreaks(unittest.TestCase):
    def deliver(self, client, service, plan, n_events, what):
        """Sends through the plan's faults; then every event has to be there exactly once."""
        customer = f"{what}-{client.name.strip('@').replace('/', '-')}"
        calls = list(row_of_events(customer, n_events, f"{SEED}-{customer}"))
        with Proxy(service, plan) as proxy:
            given_up = client.send(proxy.url, service.writer, calls, client.patient)
        self.assertEqual(given_up, 0, "the client gave up")
        self.assertTrue(plan.is_done(), "not everything planned went wrong")
        events = service.pages(f"/v1/customers/{customer}/events")
        kept = sorted(event["message_id"] for event in events)
        self.assertEqual(kept, sorted(call["messageId"] for _, call in calls))
        said = {call["messageId"]: call for _, call in calls}
        for event in events:
            call = said[event["message_id"]]
            self.assertEqual((event["name"], event["properties"]["i"]), (call["event"], call["properties"]["i"]))
            self.assertTrue(close(event["time"], call["timestamp"]), f"{event['time']} instead of {call['timestamp']}")
        return proxy

    def refused(self, answer, what):
        def check(client):
            proxy = self.deliver(client, SERVICE, Plan([answer, answer]), 60, what)
            self.assertEqual((proxy.total("accepted"), proxy.total("duplicate")), (60, 0))

        at_once(check)

    def test_after_429_with_retry_after_everything_is_there_once(self):
        self.refused(Answer(429, {"retry-after": "1"}), "limited")

    def test_after_503_everything_is_there_once(self):
        self.refused(Answer(503, {}), "unavailable")

    def test_what_was_kept_without_the_client_hearing_of_it_is_not_kept_again(self):
        def check(client):
            proxy = self.deliver(client, SERVICE, Plan([Drop(), None, Drop()]), 60, "dropped")
            self.assertEqual(proxy.total("accepted"), 60)
            self.assertGreater(proxy.total("duplicate"), 0)

        at_once(check)

    def test_a_service_that_is_killed_thrice_loses_and_doubles_nothing(self):
        def check(client):
            chance = random.Random(f"{SEED} {client.name}")
            # 520 calls are 26 batches or more, so the last kill comes before the last batch.
            moments = sorted(chance.sample(range(2, 22), N_KILLS))
            kills = list(zip(moments, chance.sample(KILL_STAGES, N_KILLS)))
            print(f"{client.name}: kills {kills}", file=sys.stderr)
            service = Service()
            try:
                self.deliver(client, service, Plan(kills=kills), N_EVENTS_FOR_KILLS, "killed")
            finally:
                service.stop()

        at_once(check)


if __name__ == "__main__":
    unittest.main(verbosity=2)
