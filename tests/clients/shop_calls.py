"""What a shop's clients send in the tests: one customer's story with every call of the spec, and a long row of like events."""

from datetime import datetime, timedelta, timezone

REVIEW = "The espresso machine makes a lovely crema"
PRODUCTS = [{"product_id": "p-1", "price": 9.9, "quantity": 2, "category": "Coffee"}]


class Story:
    """Ann looks around without a name, says who she is, buys, reviews; and an account of hers from before is joined to hers."""

    def __init__(self, tag):
        self.ann, self.anonymous, self.old = (f"{who}-{tag}" for who in ["ann", "anonymous", "old"])
        self.order = {"order_id": f"order-{tag}", "total": 19.8, "currency": "EUR", "products": PRODUCTS}
        self.start = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=2)
        who = {"userId": self.ann}
        self.calls = [
            self.at(0, "track", {"anonymousId": self.anonymous, "event": "Product Viewed", "properties": {"product_id": "p-1"}}),
            self.at(1, "track", {"userId": self.old, "event": "Newsletter Opened", "properties": {"issue": 7}}),
            self.at(2, "identify", who | {"anonymousId": self.anonymous, "traits": {"country": "NZ", "age": 41}}),
            self.at(3, "page", who | {"category": "Shop", "name": "Home", "properties": {"title": "Grüße ☕"}}),
            self.at(4, "screen", who | {"name": "Basket", "properties": {"n": 1, "nested": {"list": [1, 2.5, None, True]}}}),
            self.at(5, "track", who | {"event": "Order Completed", "properties": self.order}),
            self.at(6, "track", who | {"event": "Product Reviewed", "properties": self.review()}),
            self.at(7, "group", who | {"groupId": "acme", "traits": {"plan": "pro"}}),
            self.at(8, "alias", {"userId": self.ann, "previousId": self.old}),
        ]

    def at(self, minute, kind, call):
        return [kind, call | {"timestamp": self.moment(minute)}]

    def moment(self, minute):
        return (self.start + timedelta(minutes=minute)).isoformat()

    def review(self):
        return {"product_id": "p-1", "review_body": REVIEW, "rating": 5}

    def events(self):
        """Each event as it should be kept: kind, name, time, the id it was told under, properties that are there."""
        kept = {"product_id": "p-1", "rating": 5}
        for kind, call in self.calls:
            if kind in ["track", "page", "screen"]:
                name = call.get("event") or call.get("name")
                under = call.get("userId") or call.get("anonymousId")
                properties = kept if name == "Product Reviewed" else call["properties"]
                yield kind, name, call["timestamp"], under, properties


def row_of_events(customer, n, seed):
    """`n` events of one customer a second apart, each with a message id that names its place."""
    start = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=1)
    for i in range(n):
        time = (start + timedelta(seconds=i)).isoformat()
        call = {"userId": customer, "event": "Lesson Watched", "properties": {"i": i}, "timestamp": time}
        yield ["track", call | {"messageId": f"{seed}-{i}"}]
