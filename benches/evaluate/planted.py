"""Planted customers, whose segments are known: together, and each side alone."""

import csv
from collections import Counter

from sklearn.metrics import adjusted_rand_score

from product import WORK, Store

N_CUSTOMERS = 1_200
SIDES = {"together": "all", "text alone": "text", "behaviour alone": "behaviour"}


def run(product, add):
    for kind in ["joint", "text", "behaviour", "noise", "imbalance"]:
        name, folder = f"planted {kind}", WORK / f"planted-{kind}"
        if not (folder / "truth.csv").exists():
            product.run("plant", "--kind", kind, "--customers", N_CUSTOMERS, "--seed", 1, "--out", folder)
        with (folder / "truth.csv").open(newline="") as file:
            truth = {row["customer_id"]: row["segment"] for row in csv.DictReader(file) if row["segment"] != "none"}
        columns = ["--customer", "customer_id", "--text", "text", "--id", "review_id", "--item", "item_id", "--rating", "rating", "--time", "time"]
        store = Store(product, f"planted-{kind}")
        store.fill([["--kind", "events", folder / "events.ndjson"], ["--kind", "reviews", *columns, folder / "reviews.csv"]])
        k = len(Counter(truth.values()))
        add(name, "k", "truth", k)
        for side, blocks in SIDES.items():
            for choice, arguments in [("k given", ["--k", k]), ("k chosen", [])]:
                report = store.fit(f"{blocks}-{choice[2:]}", "--blocks", blocks, *arguments)
                members = store.members(f"{blocks}-{choice[2:]}")
                found = [members.get(customer, "none") for customer in truth]
                add(name, f"ARI, {choice}", f"clientele, {side}", adjusted_rand_score(list(truth.values()), found))
                if choice == "k chosen":
                    add(name, "k chosen", f"clientele, {side}", report["k"])
