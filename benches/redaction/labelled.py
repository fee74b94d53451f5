"""The labelled set: texts with their personal data marked inline, and the figures of whoever looks for it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "tests" / "redaction" / "labelled.ndjson"
KINDS = ["email", "phone", "id", "card", "iban", "ip", "url", "address", "name"]
MARK = re.compile(r"<(/?)(%s)>" % "|".join(KINDS))


@dataclass
class Span:
    kind: str
    start: int
    end: int


@dataclass
class Labelled:
    lang: str
    held_out: bool
    text: str
    spans: list[Span]


def unmarked(marked: str) -> tuple[str, list[Span]]:
    text, spans, at, opened = "", [], 0, 0
    for mark in MARK.finditer(marked):
        text += marked[at : mark.start()]
        at = mark.end()
        if mark[1]:
            spans.append(Span(mark[2], opened, len(text)))
        else:
            opened = len(text)
    return text + marked[at:], spans


def load() -> list[Labelled]:
    lines = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]
    return [Labelled(line["lang"], line["held_out"], *unmarked(line["text"])) for line in lines]


@dataclass
class Score:
    """A label is found if half of it is covered; a finding is right if it touches a label of its kind."""

    labels: int = 0
    found: int = 0
    findings: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / self.findings if self.findings else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.labels if self.labels else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def score(texts: list[Labelled], found: list[list[Span]], kind: str) -> Score:
    total = Score()
    for text, spans in zip(texts, found, strict=True):
        labels = [span for span in text.spans if span.kind == kind]
        spans = [span for span in spans if span.kind == kind]
        total.labels += len(labels)
        total.findings += len(spans)
        for label in labels:
            inside = range(label.start, label.end)
            covered = {at for span in spans for at in range(span.start, span.end) if at in inside}
            hit = 2 * len(covered) >= label.end - label.start
            total.found += hit
            if not hit:
                total.wrong.append(f"missed {kind} {text.text[label.start:label.end]!r} in {text.text!r}")
        for span in spans:
            hit = any(span.start < label.end and label.start < span.end for label in labels)
            total.right += hit
            if not hit:
                total.wrong.append(f"false {kind} {text.text[span.start:span.end]!r} in {text.text!r}")
    return total
