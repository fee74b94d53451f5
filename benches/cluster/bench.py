"""`make bench-cluster`: our k-means beside its rivals on the same rows, one table, all in one run.

Each entry is a process of its own and starts from the same centroids (points drawn at random) where it takes any; 20 Lloyd iterations, no
tolerance. A `fit` is one k; the `sweep` is k = 4..20 with three first centroids each, which rivals run one after the other and we
together. `sweep, best of 3` is how the product runs it: the three are tried on a sample, and the best two go on. What is measured begins
with the points in memory and ends with centroids and labels. Medians over the rounds; the machine's peak is measured before every
round. Writes target/bench/cluster.json.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
DIMENSION = 384
OURS = "clientele"
BEST_OF = "clientele, best of 3"
ON_GPU = "clientele on the GPU"
RIVALS = ["scikit-learn-intelex", "scikit-learn", "scikit-learn MiniBatch", "faiss", "fastkmeans"]
MODULES = {
    "scikit-learn-intelex": "sklearnex",
    "faiss": "faiss",
    "fastkmeans": "fastkmeans",
    "PyTorch on the GPU": "torch",
}
# Those that start from given centroids and make all iterations.
EXACT = ["scikit-learn-intelex", "scikit-learn", "faiss", "PyTorch on the GPU"]
SWEEP = [(k, seed) for k in range(4, 21) for seed in range(3)]


def arguments():
    parser = argparse.ArgumentParser(prog="bench-cluster", description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("target/bench/cluster"))
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("target/release/examples"))
    parser.add_argument("--points", type=lambda text: [int(n) for n in text.split(",")], default=[200_000, 1_000_000])
    parser.add_argument("--k", type=lambda text: [int(k) for k in text.split(",")], default=[8, 20, 64, 100])
    parser.add_argument("--rounds", type=int, default=3, help="of the fits; sweeps run once")
    parser.add_argument("--only", type=lambda text: text.split(","), default=RIVALS, help="rivals: " + ",".join(RIVALS))
    parser.add_argument("--no-sweep", action="store_true")
    parser.add_argument("--sweep-points", type=int, default=200_000)
    parser.add_argument("--device", help="cuda:0: ours and PyTorch on a GPU too, and all processors for the others")
    return parser.parse_args()


def make_points(file, n):
    """Unit vectors around 60 directions of very unequal share, with the falling spectrum that embeddings have."""
    if file.exists() and file.stat().st_size == 4 * n * DIMENSION:
        return
    dice = np.random.default_rng(7)
    spectrum = (1 + np.arange(DIMENSION)) ** -0.35
    spectrum /= np.sqrt((spectrum**2).mean())
    centres = dice.standard_normal((60, DIMENSION)) * spectrum
    which = dice.choice(60, size=n, p=dice.dirichlet(np.ones(60)))
    with file.open("wb") as out:
        for start in range(0, n, 50_000):
            some = which[start : start + 50_000]
            points = centres[some] * 0.55 + dice.standard_normal((len(some), DIMENSION)) * spectrum
            (points / np.linalg.norm(points, axis=1, keepdims=True)).astype("<f4").tofile(out)


def first_centroids(points, work, n, k, seed):
    file = work / f"start-{n}-{k}-{seed}.f32"
    rows = np.memmap(points, "<f4", mode="r").reshape(-1, DIMENSION)
    np.array(rows[np.random.default_rng(1_000 * k + seed).choice(n, k, replace=False)]).tofile(file)
    return str(file)


def run(options, entry, points, starts, max_iter=20):
    if entry in (OURS, BEST_OF, ON_GPU):
        flags = {OURS: [], BEST_OF: ["--best-of", "3"], ON_GPU: ["--device", options.device]}[entry]
        command = [options.programs / "cluster_worker", points, str(DIMENSION), str(max_iter), *starts, *flags]
    else:
        command = [sys.executable, HERE / "rival.py", entry, points, str(DIMENSION), str(max_iter), *starts]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{entry} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def peak(options):
    return json.loads(subprocess.run([options.programs / "peak"], capture_output=True, text=True, check=True).stdout)


def present(options):
    def is_there(name):
        module = MODULES.get(name)
        return module is None or subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0

    for name in options.only:
        if not is_there(name):
            print(f"bench-cluster: {name} is not installed and is missing from the table")
    return [name for name in options.only if is_there(name)]


def fits(options, rivals, peaks):
    rows = []
    for n in options.points:
        points = options.work / f"points-{n}.f32"
        make_points(points, n)
        for k in options.k:
            start = first_centroids(points, options.work, n, k, 0)
            runs = {entry: [] for entry in [OURS, *[ON_GPU] * bool(options.device), *rivals]}
            for _ in range(options.rounds):
                peaks.append(peak(options))
                for entry in runs:
                    runs[entry].append(run(options, entry, points, [start]))
            of_k = [
                {
                    "entry": entry,
                    "n": n,
                    "k": k,
                    "work": "fit",
                    "seconds": statistics.median(one["seconds"] for one in found),
                    "inertia": found[0]["inertia"][0],
                    "rss_mb": max(one["rss_mb"] for one in found),
                }
                for entry, found in runs.items()
            ]
            show(of_k)
            rows += of_k
    return rows


def sweep(options, rivals, peaks):
    n = options.sweep_points
    points = options.work / f"points-{n}.f32"
    make_points(points, n)
    starts = [first_centroids(points, options.work, n, k, seed) for k, seed in SWEEP]
    rows = []
    exact = [rival for rival in rivals if rival in EXACT]
    for entry in [OURS, BEST_OF, *[ON_GPU] * bool(options.device), *exact]:
        peaks.append(peak(options))
        found = run(options, entry, points, starts)
        # Of three fits of a k the best one counts; the sum over k says how good the sweep was.
        each = len(found["inertia"]) // len(set(k for k, _ in SWEEP))
        best = sum(min(found["inertia"][at : at + each]) for at in range(0, len(found["inertia"]), each))
        row = {"entry": entry, "n": n, "k": "4..20 x 3", "work": "sweep", "seconds": found["seconds"]}
        rows.append(row | {"inertia": best, "rss_mb": found["rss_mb"]})
    show(rows)
    return rows


def show(rows):
    ours = rows[0]
    print(f"\n{ours['work']}, n = {ours['n']:,}, k = {ours['k']}, {DIMENSION} dimensions, 20 iterations")
    print(f"{'':24} {'seconds':>9} {'ours is':>9} {'inertia':>12} {'of ours':>9} {'MB':>6}")
    for row in rows:
        times = row["seconds"] / ours["seconds"]
        share = row["inertia"] / ours["inertia"]
        print(f"{row['entry']:24} {row['seconds']:9.3f} {times:8.2f}x {row['inertia']:12.1f} {share:9.5f} {row['rss_mb']:6}", flush=True)


def main():
    options = arguments()
    if hasattr(os, "sched_setaffinity") and not options.device:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    options.work.mkdir(parents=True, exist_ok=True)
    if options.device:
        options.only.append("PyTorch on the GPU")
    rivals, peaks = present(options), []
    rows = fits(options, rivals, peaks)
    if not options.no_sweep:
        rows += sweep(options, rivals, peaks)
    best = {kind: max((one[kind] for one in peaks if one[kind]), default=None) for kind in ("f32", "bf16", "int8")}
    print(f"\npeak in this run, GOP/s: {', '.join(f'{kind} {value:.0f}' for kind, value in best.items() if value)}; {len(os.sched_getaffinity(0))} threads")
    out = options.work.parent / "cluster.json"
    out.write_text(json.dumps({"peak": best, "rows": rows}, indent=1))
    print(f"written to {out}")


if __name__ == "__main__":
    main()
