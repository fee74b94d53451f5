"""What was acknowledged against what is there. Pure: it is given both, so its own test can show it every kind of wrong."""

from collections import Counter
from dataclasses import dataclass, field

KINDS = ("missing", "phantom", "duplicate", "malformed", "torn", "counts", "job")


@dataclass
class Finding:
    kind: str
    what: str

    def __str__(self):
        return f"{self.kind}: {self.what}"


@dataclass
class Expected:
    """`acknowledged` has to be there; of each list in `unanswered` (one a batch) all may be there, or nothing."""

    acknowledged: list = field(default_factory=list)
    unanswered: list = field(default_factory=list)


def check(expected, found):
    """What is wrong with `found`, the facts of the same customers as they were read."""
    said = {fact.key: fact for facts in [expected.acknowledged, *expected.unanswered] for fact in facts}
    times = Counter(fact.key for fact in found)
    findings = [Finding("duplicate", f"{key} is there {n} times") for key, n in times.items() if n > 1]
    for fact in found:
        if fact.key not in said:
            findings.append(Finding("phantom", f"{fact.key} of {fact.customer} was never sent"))
        elif (fact.customer, fact.value) != (said[fact.key].customer, said[fact.key].value):
            sent = said[fact.key]
            findings.append(Finding("malformed", f"{fact.key} is {fact.customer} {fact.value}; sent was {sent.customer} {sent.value}"))
    findings += [Finding("missing", f"{fact.key} of {fact.customer}") for fact in expected.acknowledged if fact.key not in times]
    for facts in expected.unanswered:
        n_there = sum(fact.key in times for fact in facts)
        if 0 < n_there < len(facts):
            findings.append(Finding("torn", f"{n_there} of {len(facts)} of the batch with {facts[0].key} are there"))
    return findings


def check_counts(counts, totals):
    """The workspace's own counts against what paging through everything gave."""
    return [Finding("counts", f"{name}: {counts[name]} counted, {n} found") for name, n in totals.items() if counts[name] != n]
