"""One rival's k-means in a process of its own: `rival.py NAME POINTS DIMENSION MAX_ITER CENTROIDS...`.

Every file of centroids is a fit; fits run one after the other, as these libraries do it. Prints what `cluster_worker` prints: seconds of the fits
alone, the inertia of each as we measure it (Σ of squared distances to the nearest of the returned centroids), and peak memory.
"""

import json
import sys
import time

import numpy as np


def scikit_learn(points, centroids, max_iter):
    from sklearn.cluster import KMeans

    return KMeans(len(centroids), init=centroids, n_init=1, max_iter=max_iter, tol=0).fit(points).cluster_centers_


def intelex(points, centroids, max_iter):
    from sklearnex.cluster import KMeans

    return KMeans(len(centroids), init=centroids, n_init=1, max_iter=max_iter, tol=0).fit(points).cluster_centers_


def mini_batch(points, centroids, max_iter):
    from sklearn.cluster import MiniBatchKMeans

    # As many points as the others look at would be max_iter epochs; it stops by itself when it no longer improves.
    return MiniBatchKMeans(len(centroids), init=centroids, n_init=1, max_iter=max_iter).fit(points).cluster_centers_


def faiss(points, centroids, max_iter):
    import faiss as library

    kmeans = library.Kmeans(
        points.shape[1], len(centroids), niter=max_iter, min_points_per_centroid=1, max_points_per_centroid=len(points)
    )
    kmeans.train(points, init_centroids=centroids)
    return kmeans.centroids


def fastkmeans(points, centroids, max_iter):
    from fastkmeans import FastKMeans

    # It takes no first centroids: its own random choice of points stands in for ours.
    kmeans = FastKMeans(
        points.shape[1], len(centroids), niter=max_iter, tol=0, gpu=False, seed=0, max_points_per_centroid=len(points)
    )
    kmeans.train(points)
    return np.asarray(kmeans.centroids, dtype=np.float32)


def pytorch_gpu(points, centroids, max_iter):
    """Lloyd's iterations as one writes them with PyTorch on a GPU: products in TF32, sums by cluster with `index_add_`."""
    import torch

    torch.set_float32_matmul_precision("high")
    points, centroids = torch.from_numpy(points).cuda(), torch.from_numpy(centroids).cuda()
    for _ in range(max_iter):
        labels = torch.cat([(some @ centroids.T - centroids.square().sum(1) / 2).argmax(1) for some in points.split(1 << 18)])
        sums = torch.zeros_like(centroids).index_add_(0, labels, points)
        sizes = torch.bincount(labels, minlength=len(centroids)).unsqueeze(1)
        centroids = torch.where(sizes > 0, sums / sizes.clamp(min=1), centroids)
    return centroids.cpu().numpy()


RIVALS = {
    "scikit-learn-intelex": intelex,
    "scikit-learn": scikit_learn,
    "scikit-learn MiniBatch": mini_batch,
    "faiss": faiss,
    "fastkmeans": fastkmeans,
    "PyTorch on the GPU": pytorch_gpu,
}


def inertia(points, centroids):
    total, squares = 0.0, (centroids.astype(np.float64) ** 2).sum(1)
    for start in range(0, len(points), 20_000):
        some = points[start : start + 20_000].astype(np.float64)
        distances = (some**2).sum(1)[:, None] - 2 * some @ centroids.T.astype(np.float64) + squares
        total += distances.min(1).sum()
    return float(total)


def peak_resident_mb():
    # Not ru_maxrss, which a new process takes over from the one that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


def main():
    name, points, dimension, max_iter, *files = sys.argv[1:]
    points = np.fromfile(points, "<f4").reshape(-1, int(dimension))
    starts = [np.fromfile(file, "<f4").reshape(-1, int(dimension)) for file in files]
    fit = RIVALS[name]
    # What is loaded and compiled at the first call is not what is measured.
    fit(points[:5_000], starts[0], 2)
    began = time.perf_counter()
    found = [fit(points, start, int(max_iter)) for start in starts]
    seconds = time.perf_counter() - began
    rss_mb = peak_resident_mb()
    print(json.dumps({"seconds": seconds, "inertia": [inertia(points, one) for one in found], "rss_mb": rss_mb}))


if __name__ == "__main__":
    main()
