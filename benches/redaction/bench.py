"""Redaction beside Microsoft Presidio on the labelled set: precision and recall a kind, texts per second.

    bench.py PROGRAM    PROGRAM is the built example `redact_texts`

Presidio's score threshold is chosen for each kind and language at its best F1 on the very texts that are measured; ours is the
default policy's. A label is found if half of it is covered; a finding is right if it touches a label of its kind.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rival
from labelled import KINDS, Labelled, Score, Span, load, score

ROUNDS = 5
LANGS = ("en", "zh")


def ours(program: str, texts: list[Labelled]) -> tuple[list[list[Span]], float]:
    lines = "".join(json.dumps({"text": text.text}) + "\n" for text in texts)
    run = subprocess.run([program, "200"], input=lines, capture_output=True, text=True, check=True)
    found = [[Span(one["kind"], one["start"], one["end"]) for one in json.loads(line)] for line in run.stdout.splitlines()]
    return found, len(texts) / json.loads(run.stderr)["seconds"]


def presidio(texts: list[Labelled]) -> tuple[list[list[tuple[Span, float]]], float]:
    with tempfile.TemporaryDirectory() as folder:
        analyzer = rival.engine(Path(folder))
    found = [rival.find(analyzer, text) for text in texts]
    started = time.perf_counter()
    for _ in range(ROUNDS):
        for text in texts:
            rival.find(analyzer, text)
    return found, ROUNDS * len(texts) / (time.perf_counter() - started)


def at_best_threshold(texts: list[Labelled], found: list[list[tuple[Span, float]]], kind: str) -> Score:
    thresholds = sorted({0.0, *(score for spans in found for span, score in spans if span.kind == kind)})
    at = [score(texts, [[span for span, sure in spans if sure >= least] for spans in found], kind) for least in thresholds]
    return max(at, key=lambda one: one.f1)


def row(lang: str, kind: str, mine: Score, theirs: Score) -> str:
    figures = lambda one: f"{one.precision:.3f} / {one.recall:.3f} / {one.f1:.3f}" if one.findings else "- / 0 / 0"
    return f"| {lang} | {kind} | {mine.labels} | {figures(mine)} | {figures(theirs)} |"


def main() -> int:
    texts = load()
    mine, my_rate = ours(sys.argv[1], texts)
    theirs, their_rate = presidio(texts)
    print("| | kind | labels | ours: precision / recall / F1 | Presidio at its best threshold |\n|---|---|---|---|---|")
    for lang in LANGS:
        of = [at for at, text in enumerate(texts) if text.lang == lang]
        some = [texts[at] for at in of]
        for kind in KINDS:
            print(row(lang, kind, score(some, [mine[at] for at in of], kind), at_best_threshold(some, [theirs[at] for at in of], kind)))
    print(f"\ntexts/s, one core: ours {my_rate:,.0f}, Presidio {their_rate:,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
