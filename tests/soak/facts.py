"""What the writers send: batches that follow from (seed, writer, number) alone, so nothing of them has to be kept to check them.

A fact is what the service has to show afterwards: its kind and id as the key, the customer it counts for, and a value to compare.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random

# Batches in a row that tell of the same customers; then come new ones, so that no customer grows without end.
BATCHES_IN_EPOCH = 10
CUSTOMERS_IN_EPOCH = 4
# Letters alone: a number might be taken for personal data and not be kept as it was said.
WORDS = "amber basil cedar dune ember fjord grove hazel iris jade kelp lotus maple nectar olive pearl quartz reed sage thyme".split()
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
CALLS, REVIEWS, ITEMS = "/v1/batch", "/v1/reviews:batch", "/v1/items:batch"


@dataclass
class Fact:
    kind: str
    id: str
    customer: str
    value: object

    @property
    def key(self):
        return self.kind, self.id


@dataclass
class Batch:
    route: str
    body: dict
    facts: list
    n: int


def customers_of(writer, epoch):
    return [f"{writer}-{epoch}-{i}" for i in range(CUSTOMERS_IN_EPOCH)]


def batch(seed, writer, number):
    """The writer's batch of that number."""
    chance = Random(f"{seed}/{writer}/{number}")
    route = chance.choices([CALLS, REVIEWS, ITEMS], [8, 2, 1])[0]
    maker = Maker(chance, f"{writer}-{number}", customers_of(writer, number // BATCHES_IN_EPOCH), number)
    n = chance.randint(1, 60)
    if route == REVIEWS:
        # Fewer: each is embedded in a fit, and fits are to be killed often rather than to last.
        n = min(n, 12)
        return Batch(route, {"reviews": [maker.review(i) for i in range(n)]}, maker.facts, n)
    if route == ITEMS:
        return Batch(route, {"items": [maker.item(i) for i in range(n)]}, maker.facts, n)
    calls = [call for i in range(n) for call in maker.calls(i)]
    return Batch(route, {"batch": calls}, maker.facts, len(calls))


class Maker:
    """Makes the bodies of a batch, and notes the fact that each is to become."""

    def __init__(self, chance, tag, customers, number):
        self.chance, self.tag, self.customers, self.number = chance, tag, customers, number
        self.facts = []

    def fact(self, kind, id, customer, value):
        self.facts.append(Fact(kind, id, customer, value))

    def words(self, n):
        return " ".join(self.chance.choices(WORDS, k=n))

    def time(self, i):
        return (START + timedelta(seconds=self.number * 100 + i)).isoformat().replace("+00:00", "Z")

    def calls(self, i):
        kinds = [self.track, self.page, self.identify, self.group, self.order, self.refund, self.told_review, self.alias]
        make = self.chance.choices(kinds, [10, 4, 3, 1, 3, 1, 1, 1])[0]
        return make(f"{self.tag}-{i}", self.chance.choice(self.customers), self.time(i))

    def event(self, id, customer, time, call, kept=None, under=None):
        """`kept`: the properties that stay, where they are not all that were sent."""
        name = call.get("event") or call.get("name")
        kind = call["type"]
        self.fact("event", id, customer, (kind, name, time, under or customer, kept or call["properties"]))
        return call | {"messageId": id, "userId": under or customer, "timestamp": time}

    def track(self, id, customer, time):
        properties = {"words": self.words(6), "n": self.chance.randint(0, 99), "nested": {"list": [1, 2.5, None, True]}}
        return [self.event(id, customer, time, {"type": "track", "event": "Lesson Watched", "properties": properties})]

    def page(self, id, customer, time):
        kind = self.chance.choice(["page", "screen"])
        return [self.event(id, customer, time, {"type": kind, "name": "Grüße ☕", "properties": {"title": self.words(3)}})]

    def identify(self, id, customer, time):
        value = self.words(2)
        self.fact("trait", f"{customer}/{id}", customer, value)
        call = {"type": "identify", "messageId": id, "userId": customer, "traits": {id: value}, "timestamp": time}
        if self.chance.random() < 0.3:
            # Who had no name until now is this customer.
            self.fact("alias", f"anonymous-{id}", customer, None)
            call["anonymousId"] = f"anonymous-{id}"
        return [call]

    def group(self, id, customer, time):
        self.fact("group", f"{customer}/{id}", customer, None)
        return [{"type": "group", "messageId": id, "userId": customer, "groupId": id, "timestamp": time}]

    def order(self, id, customer, time):
        lines = self.chance.randint(1, 4)
        products = [{"product_id": f"p-{n}", "price": 2.5, "quantity": n + 1, "category": "Coffee"} for n in range(lines)]
        total = self.chance.randint(1, 9_999)
        properties = {"order_id": f"order-{id}", "total": total / 100, "currency": "EUR", "products": products}
        self.fact("order", f"order-{id}", customer, (time, total, "EUR", lines))
        return [self.event(id, customer, time, {"type": "track", "event": "Order Completed", "properties": properties})]

    def refund(self, id, customer, time):
        minor = self.chance.randint(1, 99)
        properties = {"order_id": f"order-{id}", "refund_id": f"refund-{id}", "total": minor / 100, "currency": "EUR"}
        self.fact("refund", f"refund-{id}", customer, (time, f"order-{id}", minor))
        return [self.event(id, customer, time, {"type": "track", "event": "Order Refunded", "properties": properties})]

    def told_review(self, id, customer, time):
        kept = {"product_id": "p-1", "rating": self.chance.randint(1, 5), "review_id": f"review-{id}"}
        text = self.words(8)
        self.fact("review", f"review-{id}", customer, (time, text, kept["rating"], "p-1"))
        call = {"type": "track", "event": "Product Reviewed", "properties": kept | {"review_body": text}}
        return [self.event(id, customer, time, call, kept)]

    def alias(self, id, customer, time):
        """What was told under the older id counts for the customer from now on."""
        older = f"older-{id}"
        self.fact("alias", older, customer, None)
        told = {"type": "track", "event": "Newsletter Opened", "properties": {"issue": self.chance.randint(0, 9)}}
        return [
            self.event(id, customer, time, told, under=older),
            {"type": "alias", "messageId": f"{id}-alias", "userId": customer, "previousId": older, "timestamp": time},
        ]

    def review(self, i):
        id, customer, text, rating = f"{self.tag}-{i}", self.chance.choice(self.customers), self.words(10), self.chance.randint(1, 5)
        self.fact("review", id, customer, (self.time(i), text, rating, "p-2"))
        return {"review_id": id, "customer_id": customer, "text": text, "rating": rating, "item_id": "p-2", "time": self.time(i)}

    def item(self, i):
        id, name, minor = f"item-{self.tag}-{i}", self.words(2), self.chance.randint(1, 9_999)
        self.fact("item", id, None, (self.time(i), name, minor))
        return {"item_id": id, "name": name, "price": minor / 100, "currency": "EUR", "time": self.time(i)}


def observed(export):
    """The facts of one customer as the service shows them: a list, so that what is there twice is seen."""
    customer = export["customer"]
    id = customer["customer_id"]
    facts = [Fact("alias", alias, id, None) for alias in customer["aliases"]]
    facts += [Fact("group", f"{id}/{group}", id, None) for group in customer["groups"]]
    facts += [Fact("trait", f"{id}/{name}", id, value) for name, value in customer["traits"].items()]
    for event in export["events"]:
        value = (event["kind"], event["name"], event["time"], event["told_under"], event["properties"])
        facts.append(Fact("event", event["message_id"], id, value))
    for review in export["reviews"]:
        value = (review["time"], review["text"], review["rating"], review["item_id"])
        facts.append(Fact("review", review["review_id"], id, value))
    for order in export["orders"]:
        total = order["total"]
        facts.append(Fact("order", order["order_id"], id, (order["time"], total["minor"], total["currency"], len(order["lines"]))))
    for refund in export["refunds"]:
        facts.append(Fact("refund", refund["refund_id"], id, (refund["time"], refund["order_id"], refund["amount"]["minor"])))
    return facts


def observed_item(item):
    return Fact("item", item["item_id"], None, (item["time"], item["name"], item["price"]["minor"]))


def sha256(id):
    return hashlib.sha256(id.encode()).hexdigest()
