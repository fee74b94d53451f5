"""What `make bench-embed` measures of its workers: peak, rounds, vectors, a busy neighbour, memory."""

import dataclasses
import json
import os
import statistics
import subprocess
import time

import numpy
from safetensors.numpy import load_file
from workers import Neighbour, WorkerError, environment

N_SINGLES = 200
N_BUSY_ROUNDS = 3
PEAK_SECONDS = "0.3"
# Threads of the entry before still spin for a moment.
SETTLE_SECONDS = 0.2


@dataclasses.dataclass
class Sample:
    """One measurement of one round."""

    texts_per_s: float
    tokens_per_s: float
    ms: list


def peak(program):
    said = subprocess.run([program, PEAK_SECONDS], env=environment(), capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


def sample(worker, name, lengths):
    time.sleep(SETTLE_SECONDS)
    if name == "single":
        ms = worker.ask(do="single", input=name, n=N_SINGLES)["ms"]
        per_s = 1e3 * len(ms) / sum(ms)
        return Sample(per_s, per_s * sum(lengths) / len(lengths), ms)
    told = worker.ask(do="run", input=name)
    assert told["n_tokens"] == sum(lengths), f"{name}: {told['n_tokens']} tokens instead of {sum(lengths)}"
    return Sample(told["n_texts"] / told["seconds"], told["n_tokens"] / told["seconds"], [])


def rounds(workers, lengths, names, n_rounds, peak_program):
    """({(entry, input): [Sample]}, [peak]); in a round each entry does each input once, one entry at a time."""
    samples, peaks = {}, []
    for round_ in range(n_rounds):
        peaks.append(peak(peak_program))
        print(f"round {round_ + 1}/{n_rounds}; peak {peaks[-1]}", flush=True)
        for name in names:
            for entry, worker in workers.items():
                made = sample(worker, name, lengths[name])
                samples.setdefault((entry, name), []).append(made)
                print(f"  {name:9} {str(entry):18} {made.texts_per_s:8.1f} texts/s", flush=True)
    return samples, peaks


def vectors(workers, names, folder):
    """{(entry, input): array}; it warms every worker up as well."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for entry, worker in workers.items():
        for name in names:
            if name == "single":
                worker.ask(do="single", input=name, n=20)
                continue
            out = folder / f"{entry.name}-{entry.precision}-{name}.safetensors"
            worker.ask(do="vectors", input=name, out=str(out))
            made[entry, name] = load_file(out)["vectors"].astype(numpy.float64)
    return made


def cosines(found, expected):
    lengths = numpy.linalg.norm(found, axis=1) * numpy.linalg.norm(expected, axis=1)
    each = (found * expected).sum(1) / lengths
    return {"cosine_mean": float(each.mean()), "cosine_min": float(each.min())}


def busy(workers, quiet):
    """Sentences with one core kept busy by another process; `quiet` is {entry: texts/s} of the rounds."""
    core = min(os.sched_getaffinity(0))
    rows = []
    for entry, worker in workers.items():
        with Neighbour(core):
            time.sleep(SETTLE_SECONDS)
            told = [worker.ask(do="run", input="sentences_few") for _ in range(N_BUSY_ROUNDS)]
        speed = statistics.median(one["n_texts"] / one["seconds"] for one in told)
        rows.append({"entry": entry.name, "precision": entry.precision, "texts_per_s": speed, "share": speed / quiet[entry]})
        print(f"  {str(entry):18} {speed:8.1f} texts/s", flush=True)
    return rows


def quiet_few(workers):
    """{entry: texts/s} of the slice that `busy` takes, beside nobody."""
    speeds = {}
    for entry, worker in workers.items():
        time.sleep(SETTLE_SECONDS)
        told = [worker.ask(do="run", input="sentences_few") for _ in range(1 + N_BUSY_ROUNDS)][1:]
        speeds[entry] = statistics.median(one["n_texts"] / one["seconds"] for one in told)
    return speeds


def memory(entries):
    """Resident memory of a fresh worker of each entry after it has embedded the sentences once."""
    rows = []
    for entry in entries:
        try:
            worker = entry.start(["sentences"])
            worker.ask(do="run", input="sentences")
            told = worker.ask(do="rss")
            worker.close()
        except WorkerError as error:
            print(f"  {entry}: {error}", flush=True)
            continue
        megabytes = {"rss_mb": told["now_kib"] * 1024 / 1e6, "peak_rss_mb": told["peak_kib"] * 1024 / 1e6}
        rows.append({"entry": entry.name, "precision": entry.precision} | megabytes)
    return rows


def same_segment(found, expected):
    """Share of texts that k-means puts into the same group from both sets of vectors, given the same initial centroids."""
    from sklearn.cluster import KMeans, kmeans_plusplus

    shares = {}
    for k in (5, 20):
        start, _ = kmeans_plusplus(expected, k, random_state=0)
        fitted = KMeans(k, init=start, n_init=1).fit(expected)
        other = KMeans(k, init=start, n_init=1).fit(found)
        shares[f"k{k}"] = float((fitted.labels_ == other.labels_).mean())
        shares[f"k{k}_same_centroids"] = float((fitted.labels_ == fitted.predict(found)).mean())
    return shares
