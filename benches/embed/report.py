"""The rows of target/bench/embed.json, the table, and the goals beside what was reached."""

import math
import statistics

PRECISIONS = ["f32", "bf16", "int8"]


def median_peak(peaks):
    """{precision: {median, min, max}} in GOP/s; None where the processor lacks the instruction."""
    found = {}
    for precision in PRECISIONS:
        values = [peak[precision] for peak in peaks if peak[precision] is not None]
        found[precision] = (
            {"median": statistics.median(values), "min": min(values), "max": max(values)} if values else None)
    return found


def percentile(values, share):
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def row(entry, name, samples, giga_per_token, peak):
    """One row: medians over the rounds; percentiles are of each round, then the median of those."""
    speeds = [sample.texts_per_s for sample in samples]
    tokens_per_s = statistics.median(sample.tokens_per_s for sample in samples)
    made = {
        "entry": entry.name, "precision": entry.precision, "input": name,
        "texts_per_s": statistics.median(speeds), "texts_per_s_min": min(speeds), "texts_per_s_max": max(speeds),
        "tokens_per_s": tokens_per_s, "p50_ms": None, "p99_ms": None, "fraction_of_peak": None,
        "cosine_mean": None, "cosine_min": None, "setting": entry.setting(name),
    }
    if peak:
        made["fraction_of_peak"] = tokens_per_s * giga_per_token / peak["median"]
    if samples[0].ms:
        made["p50_ms"] = statistics.median(percentile(sample.ms, 0.50) for sample in samples)
        made["p99_ms"] = statistics.median(percentile(sample.ms, 0.99) for sample in samples)
    return made


def text(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def table(report):
    """All of it, as one text."""
    sections = [
        "measured peak, GOP/s, median (least to most of the rounds): " + "; ".join(
            f"{precision} {peak['median']:.0f} ({peak['min']:.0f} to {peak['max']:.0f})" if peak else f"{precision} none"
            for precision, peak in report["peak_rounds"].items()),
        speed_table(report["rows"]),
        "\n".join(f"missing: {gone['entry']} {gone['precision']}: {gone['why']}" for gone in report["missing"]),
        titled("sentences with one core kept busy by another process", ["entry", "prec", "texts/s", "of quiet"], [
            [one["entry"], one["precision"], text(one["texts_per_s"], 1), text(one["share"], 2)] for one in report["busy"]]),
        titled("resident memory after the sentences", ["entry", "prec", "MB", "highest MB"], [
            [one["entry"], one["precision"], text(one["rss_mb"], 0), text(one["peak_rss_mb"], 0)]
            for one in report["memory"]]),
        segment_table(report["same_segment"]),
        titled("goals", ["goal", "wanted", "found", ""], [
            [goal["goal"], goal["wanted"], text(goal["found"], 4), verdict(goal)] for goal in report["goals"]]),
    ]
    return "\n" + "\n\n".join(section for section in sections if section)


def speed_table(rows):
    head = ["entry", "prec", "input", "texts/s", "least to most", "tokens/s", "p50 ms", "p99 ms", "% peak", "cos mean",
            "cos min", "setting"]
    return titled("", head, [[
        row["entry"], row["precision"], row["input"], text(row["texts_per_s"], 1),
        f"{row['texts_per_s_min']:.0f} to {row['texts_per_s_max']:.0f}", text(row["tokens_per_s"], 0),
        text(row["p50_ms"], 2), text(row["p99_ms"], 2),
        text(row["fraction_of_peak"] and 100 * row["fraction_of_peak"], 1),
        text(row["cosine_mean"], 5), text(row["cosine_min"], 5), row["setting"],
    ] for row in rows]).lstrip()


def segment_table(rows):
    fields = ["k5", "k5_same_centroids", "k20", "k20_same_centroids"]
    return titled(
        "share of sentences in the same k-means group as from f32 vectors, refitted and with the f32 fit's centroids",
        ["entry", "prec", "k = 5", "same centroids", "k = 20", "same centroids"],
        [[row["entry"], row["precision"], *(text(row[field], 4) for field in fields)] for row in rows])


def titled(title, head, rows):
    return "\n".join([title, *aligned(head, rows)]) if rows else ""


def verdict(goal):
    if goal["reached"] is None:
        return "not measured"
    return "reached" if goal["reached"] else "not reached"


def aligned(head, rows):
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [head, *rows]]


def goals(report):
    """Each goal with the ratio or value found and whether it is reached; None where a side is missing."""
    rows = {(row["entry"], row["precision"], row["input"]): row for row in report["rows"]}

    def ours(precision, name, field):
        return rows.get(("ours", precision, name), {}).get(field)

    def rivals(precision, name, field, best):
        found = [row[field] for (entry, prec, input_), row in rows.items()
                 if entry != "ours" and prec in precision and input_ == name]
        return best(found, default=None)

    def ratio(precision, against, name):
        return share(ours(precision, name, "texts_per_s"), rivals([against], name, "texts_per_s", max))

    made = [
        at_least("f32 sentences / fastest f32 rival", 1.15, ratio("f32", "f32", "sentences")),
        at_least("bf16 sentences / fastest bf16 rival", 1.3, ratio("bf16", "bf16", "sentences")),
        at_least("bf16 sentences / fastest int8 rival", 1.0, ratio("bf16", "int8", "sentences")),
        at_least("bf16 least cosine, sentences", 0.9995, ours("bf16", "sentences", "cosine_min")),
        at_least("int8 sentences / fastest int8 rival", 1.5, ratio("int8", "int8", "sentences")),
        at_least("int8 mean cosine, sentences", 0.995, ours("int8", "sentences", "cosine_mean")),
        at_least("int8 least cosine, sentences", 0.98, ours("int8", "sentences", "cosine_min")),
    ]
    segments = [one for one in report["same_segment"] if (one["entry"], one["precision"]) == ("ours", "int8")]
    for k in ("k5", "k20"):
        made.append(at_least(f"int8 same segment, {k}", 0.99, segments[0][k] if segments else None))
    made += [at_least(f"{p} long / fastest {p} rival", 1.15, ratio(p, p, "long")) for p in PRECISIONS]
    for precision in PRECISIONS:
        found = share(ours(precision, "single", "p50_ms"), rivals([precision], "single", "p50_ms", min))
        made.append(at_most(f"{precision} single p50 / fastest {precision} rival's", 1.0, found))
    mine = min((one for one in (ours(precision, "single", "p50_ms") for precision in PRECISIONS) if one), default=None)
    found = share(mine, rivals(PRECISIONS, "single", "p50_ms", min))
    made.append(at_most("best single p50 / fastest rival's of any precision", 1.0, found))
    for one in report["busy"]:
        if one["entry"] == "ours":
            made.append(at_least(f"{one['precision']} beside a busy neighbour / quiet", 0.5, one["share"]))
    memory = [one["rss_mb"] for one in report["memory"] if (one["entry"], one["precision"]) == ("ours", "int8")]
    made.append(at_most("int8 resident memory, MB", 150, memory[0] if memory else None))
    return made


def share(mine, theirs):
    return mine / theirs if mine and theirs else None


def at_least(goal, bound, found):
    return {"goal": goal, "wanted": f">= {bound}", "found": found, "reached": None if found is None else found >= bound}


def at_most(goal, bound, found):
    return {"goal": goal, "wanted": f"<= {bound}", "found": found, "reached": None if found is None else found <= bound}
