"""The sentiment head beside scikit-learn's logistic regression on the same vectors, on reviews that neither has seen."""

import csv
import json
import subprocess
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support

from product import WORK

SET = "en_finefoods"
LABELS = ["other", "great"]


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["review"] for row in rows], np.array([LABELS.index(row["score"]) for row in rows])


def ours(worker, train, labels, test):
    files = [WORK / f"{SET}-{name}" for name in ("train.f32", "labels.json", "test.f32")]
    train.astype("<f4").tofile(files[0])
    files[1].write_text(json.dumps(labels.tolist()))
    test.astype("<f4").tofile(files[2])
    done = subprocess.run([worker, files[0], str(train.shape[1]), str(len(LABELS)), files[1], files[2]], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{worker} failed:\n{done.stderr}")
    return np.array(json.loads(done.stdout)["probabilities"])


def run(product, worker, add):
    folder = product.data / SET
    if not folder.exists():
        print(f"{SET}: skipped, {folder} is missing")
        return
    (texts, labels), (test_texts, truth) = read(folder / "train.csv"), read(folder / "test.csv")
    train = product.vectors(f"{SET}-train", texts, "en")
    test = product.vectors(f"{SET}-test", test_texts, "en")
    entries = {"clientele": ours(worker, train, labels, test)}
    for name, model in [
        ("scikit-learn logistic regression", LogisticRegression(max_iter=10_000)),
        ("scikit-learn logistic regression, C by cross-validation", LogisticRegressionCV(max_iter=10_000, scoring="neg_log_loss")),
    ]:
        entries[name] = model.fit(train, labels).predict_proba(test)
    for name, probabilities in entries.items():
        said = probabilities.argmax(axis=1)
        precision, recall, f1, _ = precision_recall_fscore_support(truth, said, average="macro")
        figures = dict(accuracy=accuracy_score(truth, said), precision=precision, recall=recall, F1=f1)
        figures["F1 of great"] = precision_recall_fscore_support(truth, said, average="binary")[2]
        figures["log loss"] = log_loss(truth, probabilities)
        for measure, value in figures.items():
            add(SET, measure, name, value)
