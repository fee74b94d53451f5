#!/usr/bin/env python3
"""Records what scikit-learn's logistic regression and its measures say of two small sets: tests/reference/head.json.

Run with the environment of `make evaluate`: .venv-bench-evaluate/bin/python tests/reference/head.py
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support


def case(n, d, n_labels, penalty, seed):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_labels, d))
    labels = np.concatenate([np.arange(n_labels), rng.integers(0, n_labels, n - n_labels)])
    rows = centres[labels] + 1.5 * rng.normal(size=(n, d))
    rows = np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    model = LogisticRegression(C=penalty, tol=1e-12, max_iter=100_000).fit(rows.astype(np.float64), labels)
    probabilities = model.predict_proba(rows.astype(np.float64))
    said = model.predict(rows.astype(np.float64))
    precision, recall, f1, _ = precision_recall_fscore_support(labels, said, average="macro")
    return dict(
        n_labels=n_labels, dimension=d, penalty=penalty,
        vectors=[float(value) for value in rows.ravel()], labels=[int(label) for label in labels],
        weights=[float(value) for value in model.coef_.ravel()], intercepts=[float(value) for value in model.intercept_],
        accuracy=float(accuracy_score(labels, said)), precision=float(precision), recall=float(recall), f1=float(f1),
        log_loss=float(log_loss(labels, probabilities)),
    )


def main():
    cases = [case(60, 5, 2, 1.0, 1), case(90, 4, 3, 3.0, 2), case(120, 6, 5, 100.0, 3)]
    out = Path(__file__).parent / "head.json"
    out.write_text(json.dumps({"scikit_learn": sklearn.__version__, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
