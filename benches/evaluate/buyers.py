"""Customers by what they do: purchases that tell of the next half year, and the planted lifecycle of a shop's users."""

import csv
import gzip
from collections import Counter, defaultdict
from datetime import date, timedelta

import numpy as np
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, v_measure_score
from sklearn.preprocessing import StandardScaler

from product import WORK, Store

FOLDS, RESAMPLES = 5, 200
VOCABULARY = """\
[[event]]
names = ["product_view"]
means = "view"

[[event]]
names = ["search", "filter_results"]
means = "search"

[[event]]
names = ["cart", "shipping_details", "payment_details"]
means = "checkout"

[[event]]
names = ["wishlist_add"]
means = "wish"
"""


def cdnow(product, add):
    name, path = "tx_cdnow", product.data / "tx_cdnow/transactions.csv"
    if not path.exists():
        print(f"{name}: skipped, {path} is missing")
        return
    cut, source = date(1997, 12, 31), WORK / f"{name}.csv"
    past, future = defaultdict(list), defaultdict(float)
    with path.open(newline="") as file, source.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "customer", "time", "total"])
        for i, row in enumerate(csv.DictReader(file)):
            day, spent = date.fromisoformat(row["date"]), float(row["dollar_value"])
            if day <= cut:
                past[row["customer_id"]].append((day, spent))
                writer.writerow([f"o{i}", row["customer_id"], row["date"], row["dollar_value"]])
            elif day <= cut + timedelta(days=181):
                future[row["customer_id"]] += spent
    ids = sorted(past)
    store = Store(product, name)
    columns = ["--customer", "customer", "--id", "id", "--time", "time", "--total", "total", "--currency-code", "USD"]
    store.fill([["--kind", "orders", *columns, source]])
    report = store.fit("spend", "--as-of", f"{cut + timedelta(days=1)}T00:00:00Z")
    members = store.members("spend")
    spent = np.array([future[i] for i in ids])
    rfm = np.array([[(cut - max(d for d, _ in past[i])).days, len({d for d, _ in past[i]}), sum(s for _, s in past[i])] for i in ids])
    k = report["k"]
    add(name, "segments", "clientele", k)
    scaled = StandardScaler().fit_transform(rfm)
    entries = {
        "clientele": [members[i] for i in ids],
        "KMeans on scaled RFM": KMeans(k, n_init=10, random_state=0).fit_predict(scaled),
        "KMeans on scaled log RFM": KMeans(k, n_init=10, random_state=0).fit_predict(StandardScaler().fit_transform(np.log1p(rfm))),
        "RFM quintiles, as many groups": quintile_groups(rfm, k),
    }
    for entry, groups in entries.items():
        predicted(name, entry, np.unique(groups, return_inverse=True)[1], spent, add)


def quintile_groups(rfm, k):
    """The sum of the three fifths (3 to 15), cut into as many groups of like size as the others have."""
    def fifths(values):
        return np.argsort(np.argsort(values, kind="stable"), kind="stable") * 5 // len(values)

    score = fifths(-rfm[:, 0]) + fifths(rfm[:, 1]) + fifths(rfm[:, 2])
    return np.argsort(np.argsort(score, kind="stable"), kind="stable") * k // len(score)


def predicted(name, entry, groups, spent, add):
    """R² and Spearman's correlation of the group's mean over other customers, with 95 % bootstrap intervals over customers."""
    fold = np.random.default_rng(0).permutation(len(groups)) % FOLDS
    said = np.zeros(len(groups))
    for f in range(FOLDS):
        seen = fold != f
        for group in np.unique(groups):
            own = seen & (groups == group)
            said[(fold == f) & (groups == group)] = spent[own].mean() if own.any() else spent[seen].mean()
    rng = np.random.default_rng(1)
    figures = {
        "R² of the next half year's spend": lambda rows: 1 - ((spent[rows] - said[rows]) ** 2).sum() / ((spent[rows] - spent[rows].mean()) ** 2).sum(),
        "rank correlation with the next half year's spend": lambda rows: spearmanr(said[rows], spent[rows]).statistic,
    }
    draws = [rng.integers(0, len(groups), len(groups)) for _ in range(RESAMPLES)]
    for measure, figure in figures.items():
        low, high = np.quantile([figure(rows) for rows in draws], [0.025, 0.975])
        add(name, measure, entry, figure(np.arange(len(groups))), (low, high))


def clicks(product, add):
    name, path = "click_ecom_synthetic", product.data / "click_ecom_synthetic/events.csv.gz"
    if not path.exists():
        print(f"{name}: skipped, {path} is missing")
        return
    source, vocabulary = WORK / f"{name}.csv", WORK / f"{name}.toml"
    vocabulary.write_text(VOCABULARY)
    truth, counts, kinds = {}, defaultdict(Counter), set()
    with gzip.open(path, "rt", newline="") as file, source.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "customer", "event", "time"])
        for i, row in enumerate(sorted(csv.DictReader(file), key=lambda row: row["timestamp"])):
            # A user's lifecycle is the one they are in at the end.
            truth[row["user_id"]] = row["user_lifecycle"]
            counts[row["user_id"]][row["event"]] += 1
            kinds.add(row["event"])
            writer.writerow([f"e{i}", row["user_id"], row["event"], row["timestamp"].replace(" ", "T") + "Z"])
    store = Store(product, name)
    columns = ["--customer", "customer", "--id", "id", "--event", "event", "--time", "time", "--vocabulary", vocabulary]
    store.fill([["--kind", "events", *columns, source]])
    ids, k = sorted(truth), len(set(truth.values()))
    labels, table = [truth[i] for i in ids], np.array([[counts[i][kind] for kind in sorted(kinds)] for i in ids], dtype=float)
    ours = []
    for seed in range(3):
        store.fit("life", "--k", k, "--seed", seed)
        members = store.members("life")
        ours.append([members[i] for i in ids])
    entries = {
        "clientele": ours,
        "KMeans on event counts": [KMeans(k, n_init=10, random_state=seed).fit_predict(table) for seed in range(10)],
        "KMeans on scaled log event counts": [
            KMeans(k, n_init=10, random_state=seed).fit_predict(StandardScaler().fit_transform(np.log1p(table))) for seed in range(10)
        ],
        "KMeans on scaled event counts": [KMeans(k, n_init=10, random_state=seed).fit_predict(StandardScaler().fit_transform(table)) for seed in range(10)],
    }
    for entry, each in entries.items():
        add(name, "V-measure, lifecycle", entry, np.mean([v_measure_score(labels, one) for one in each]))
        add(name, "ARI, lifecycle", entry, np.mean([adjusted_rand_score(labels, one) for one in each]))
