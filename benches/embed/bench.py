"""`make bench-embed`: our embedder beside its rivals at their best, one table, all in one run.

Every entry is a process that stays up; in each round every entry embeds every input once, one entry at a time, and medians
are taken over the rounds, because a shared machine drifts. What is measured runs from strings to vectors. The machine's own
peak is measured before every round. Writes target/bench/embed.json.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import entries as entrants
import inputs
import measures
import report as reports
from workers import environment

NAMES = ["sentences", "long", "single"]
HERE = pathlib.Path(__file__).parent


def arguments():
    parser = argparse.ArgumentParser(prog="bench-embed", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of en_amazon_snippets and en_finefoods")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("target/bench"), help="where everything made is kept")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("target/release/examples"))
    parser.add_argument("--ours", type=pathlib.Path, help="another embed_worker program than the one in --programs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=lambda text: text.split(","), help="entries, such as ours,openvino or ours:bf16")
    parser.add_argument("--inputs", type=lambda text: text.split(","), default=NAMES, help=",".join(NAMES))
    parser.add_argument("--every", type=int, default=1, help="take every Nth text of sentences and long alone: a quick look")
    parser.add_argument("--as-service", action="store_true", help="ours on the service's threads of low priority")
    parser.add_argument("--calibrate", action="store_true", help="look for the rivals' best settings again")
    parser.add_argument("--no-extras", action="store_true", help="no busy neighbour, no memory")
    return parser.parse_args()


def chosen(options, places):
    everyone = [entrants.Entry(name, precision, places, options.as_service) for name, precision in entrants.ENTRIES]
    if not options.only:
        return everyone
    picked = [one for one in everyone if one.name in options.only or f"{one.name}:{one.precision}" in options.only]
    if not picked:
        sys.exit(f"--only {','.join(options.only)}: there is no such entry; they are {', '.join(map(str, everyone))}")
    return picked


def two_cores():
    """All that is started from here has two cores, on a larger machine too."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def make_rivals(places):
    """In a process of its own: PyTorch need not stay in memory, nor be installed."""
    command = [sys.executable, HERE / "rival_models.py", places.model, places.inputs / "all_sentences.json", places.rivals]
    log = places.work / "logs" / "rival_models.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as said:
        subprocess.run(command, env=environment(), stdout=said, stderr=said, check=False)
    print(f"rivals' models are in {places.rivals}; how they were made is in {log}", flush=True)


def calibrated(options, places, everyone, missing):
    """Starts all entries, each rival with its best settings, which are kept for later runs."""
    kept = entrants.KeptSettings(places.work / "settings.json", options.calibrate)
    print("settings of rivals: " + (f"those in {kept.file} (--calibrate looks again)" if kept else "looking for the best"))
    return entrants.start_all(everyone, options.inputs, kept, missing)


def rows_of(samples, lengths, peaks, options):
    made = []
    for (entry, name), taken in samples.items():
        giga_per_token = inputs.giga_operations(options.model, lengths[name]) / sum(lengths[name])
        made.append(reports.row(entry, name, taken, giga_per_token, peaks[entry.precision]))
    return made


def reference(made, name):
    """PyTorch's f32 vectors; ours where PyTorch is missing."""
    of = {(entry.name, entry.precision): array for (entry, input_), array in made.items() if input_ == name}
    return next((of[who] for who in (("pytorch", "f32"), ("ours", "f32")) if who in of), None)


def add_agreement(report, made):
    """Cosines into the rows, and k-means groups of all that is not f32."""
    for (entry, name), array in made.items():
        expected = reference(made, name)
        if expected is None:
            continue
        who = {"entry": entry.name, "precision": entry.precision}
        row = next(row for row in report["rows"] if (row | who | {"input": name}) == row)
        row.update(measures.cosines(array, expected))
        if name == "sentences" and entry.precision != "f32":
            report["same_segment"].append(who | measures.same_segment(array, expected))


def add_extras(report, workers):
    """The busy neighbour, for those whose threads it hurts most, and memory."""
    print("one core kept busy by another process", flush=True)
    beside = {entry: worker for entry, worker in workers.items() if entry.name in ("ours", "openvino", "onnxruntime")}
    report["busy"] = measures.busy(beside, measures.quiet_few(beside))
    for worker in workers.values():
        worker.close()
    report["memory"] = measures.memory(workers)


def main():
    options = arguments()
    two_cores()
    programs = options.programs
    places = entrants.Places(options.model, options.ours or programs / "embed_worker", programs / "stock_candle", options.work)
    lengths = inputs.prepare(options.model, options.data, places.inputs, options.every)
    everyone = chosen(options, places)
    if any(entry.name in ("openvino", "onnxruntime") for entry in everyone):
        make_rivals(places)
    report = {"peak": {}, "rows": [], "busy": [], "memory": [], "same_segment": [], "missing": []}
    workers = calibrated(options, places, everyone, report["missing"])
    print("vectors of all entries, which warms them up", flush=True)
    made = measures.vectors(workers, options.inputs, places.work / "vectors")
    samples, peaks = measures.rounds(workers, lengths, options.inputs, options.rounds, programs / "peak")
    report["peak_rounds"] = reports.median_peak(peaks)
    report["peak"] = {name: peak and peak["median"] for name, peak in report["peak_rounds"].items()}
    report["rows"] = rows_of(samples, lengths, report["peak_rounds"], options)
    add_agreement(report, made)
    if options.no_extras:
        for worker in workers.values():
            worker.close()
    else:
        add_extras(report, workers)
    report["goals"] = reports.goals(report)
    out = places.work / "embed.json"
    out.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(reports.table(report))
    print(f"\nwritten to {out}")


if __name__ == "__main__":
    main()
