"""Compares mixtures, hierarchies, principal axes, consensus and dense groups with scikit-learn and SciPy.

    python tests/reference/clusterings.py

Works on small points that it makes itself, by a rule that the tests in src/cluster repeat, prints the figures that those tests hold
as constants, and fails where a package no longer says what they say.
"""

import numpy
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture


def numbers(n, seed):
    """n numbers from 0 to 1: a linear congruential generator (Park & Miller 1988) that any language can repeat."""
    state, found = seed, []
    for _ in range(n):
        state = state * 48271 % 2147483647
        found.append(state / 2147483647)
    return numpy.array(found)


def blobs(sizes, dimension, spread, seed):
    """Rows around random centres, a sum of four even numbers for noise; single precision, as the service has them."""
    source = numbers((len(sizes) + 4 * sum(sizes)) * dimension, seed)
    centres, noise = source[: len(sizes) * dimension].reshape(-1, dimension), source[len(sizes) * dimension :]
    noise = noise.reshape(-1, dimension, 4).sum(axis=2) - 2.0
    labels = numpy.repeat(numpy.arange(len(sizes)), sizes)
    return (4.0 * centres[labels] + spread * noise).astype(numpy.float32).astype(numpy.float64), labels


def check(name, found, expected, tolerance=1e-4):
    found, expected = numpy.asarray(found, float), numpy.asarray(expected, float)
    print(f"{name}: {', '.join(repr(float(value)) for value in found.ravel())}")
    assert found.shape == expected.shape and numpy.allclose(found, expected, atol=tolerance, rtol=tolerance), f"{name}: the tests hold {expected}"


def mixture():
    points, _ = blobs([30, 25, 20], 3, 1.2, 7)
    start = numpy.arange(len(points)) % 5 % 3
    share = numpy.eye(3)[start]
    sizes = share.sum(axis=0)
    means = share.T @ points / sizes[:, None]
    variances = share.T @ points**2 / sizes[:, None] - means**2 + 1e-6
    model = GaussianMixture(3, covariance_type="diag", weights_init=sizes / sizes.sum(), means_init=means,
                            precisions_init=1 / variances, max_iter=100, tol=1e-3)
    model.fit(points)
    rows = model.predict_proba(points)
    check("mixture: weights", model.weights_, MIXTURE["weights"])
    check("mixture: means", model.means_.ravel(), MIXTURE["means"])
    check("mixture: variances", model.covariances_.ravel(), MIXTURE["variances"])
    check("mixture: responsibilities of rows 0, 30, 55, 74", rows[[0, 30, 55, 74]].ravel(), MIXTURE["rows"])
    check("mixture: log-likelihood, BIC, iterations", [model.score(points), model.bic(points), model.n_iter_], MIXTURE["fit"])


def hierarchies():
    points, _ = blobs([6, 5, 3], 2, 0.9, 11)
    found = linkage(points, method="ward")
    check("ward: heights", found[:, 2], WARD["heights"], 1e-6)
    check("ward: merged", found[:, :2].ravel(), WARD["merged"])
    check("ward: cut in four", first_seen(fcluster(found, 4, "maxclust")), WARD["cut"])
    averaged = linkage(points, method="average")
    check("average: heights", averaged[:, 2], AVERAGE["heights"], 1e-6)


def axes():
    points, _ = blobs([30, 25, 20], 5, 1.2, 7)
    model = PCA(2, svd_solver="full").fit(points)
    signs = numpy.sign([row[numpy.argmax(numpy.abs(row))] for row in model.components_])
    check("axes: variances", model.explained_variance_, AXES["variances"], 1e-6)
    check("axes: axes", (model.components_ * signs[:, None]).ravel(), AXES["axes"], 1e-6)
    check("axes: last row", model.transform(points)[-1] * signs, AXES["last"], 1e-6)


def consensus():
    runs = [[(i // 5 + (r + 1 if i % (r + 3) == 0 else 0)) % 3 for i in range(14)] for r in range(4)]
    together = sum(numpy.equal.outer(run, run) for run in map(numpy.array, runs)) / 4
    found = linkage(squareform(1 - together), method="average")
    labels = numpy.array(first_seen(fcluster(found, 3, "maxclust")))
    memberships = numpy.zeros((14, 3))
    for i in range(14):
        for run in map(numpy.array, runs):
            beside = labels[run == run[i]]
            memberships[i] += [numpy.mean(beside == label) / 4 for label in range(3)]
    check("consensus: heights", found[:, 2], CONSENSUS["heights"], 1e-9)
    check("consensus: labels", labels, CONSENSUS["labels"])
    check("consensus: memberships", memberships.ravel(), CONSENSUS["memberships"], 1e-8)


def density():
    cases = {"A": ([30, 25, 20], 2, 1.0, 11, 5, 2), "B": ([40, 30, 20, 10], 3, 1.0, 15, 5, 2), "C": ([50, 40], 2, 1.0, 25, 5, 5)}
    for name, (sizes, dimension, spread, seed, smallest, neighbours) in cases.items():
        points, _ = blobs(sizes, dimension, spread, seed)
        found = HDBSCAN(min_cluster_size=smallest, min_samples=neighbours, copy=True).fit(points)
        check(f"density {name}: labels", found.labels_, DENSITY[f"labels {name}"])
        check(f"density {name}: sure", found.probabilities_, DENSITY[f"sure {name}"])


def first_seen(labels):
    """Labels numbered by their first row."""
    order = list(dict.fromkeys(labels))
    return [order.index(label) for label in labels]


MIXTURE = {
    "weights": [0.371598046, 0.287174163, 0.341227791],
    "means": [-0.0378053195, 2.3660577, 0.484862645, 1.78786169, 3.25736309, 3.48820068, 1.02076441, 2.6840135, 1.08965678],
    "variances": [0.353732239, 0.562371008, 0.341208647, 0.426504707, 0.530243803, 0.42545313, 0.186785363, 0.419837237, 0.280697074],
    "rows": [0.986664714, 1.47463257e-07, 0.0133351389, 0.0178305364, 0.00520037275, 0.976969091, 8.9022039e-13, 1, 4.54396456e-10, 3.01163731e-08, 0.999979343, 2.06269345e-05],
    "fit": [-3.64485231, 633.077609, 17],
}
WARD = {
    "heights": [0.176396858, 0.220463437, 0.479100016, 0.532698968, 0.566892489, 0.712221869, 0.958345738, 0.967859325, 1.00410356, 1.96976854, 2.36749189, 5.74197395, 8.67792512],
    "merged": [1, 2, 0, 3, 6, 7, 11, 13, 5, 15, 10, 16, 14, 18, 9, 19, 4, 20, 8, 21, 12, 17, 22, 23, 24, 25],
    "cut": [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 2],
}
AVERAGE = {
    "heights": [0.176396858, 0.220463437, 0.479100016, 0.497420038, 0.532698968, 0.65641402, 0.661637347, 0.831605241, 0.837166525, 1.58393576, 2.05131197, 2.57885803, 4.1867616],
}
AXES = {
    "variances": [4.39109144, 2.41025621],
    "axes": [-0.495873522, -0.154356644, -0.241166252, -0.553467222, 0.604811003, -0.417090979, -0.324183129, 0.823391386, 0.19164206, 0.0789959513],
    "last": [-1.00582224, -2.86305057],
}
CONSENSUS = {
    "heights": [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.333333333, 0.458333333, 0.5625, 0.65, 0.833333333, 0.877777778],
    "labels": [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 1, 2],
    "memberships": [0.55, 0.3, 0.15, 0.1125, 0.8875, 0, 0.1125, 0.8875, 0, 0.3125, 0.6875, 0, 0.1, 0.75, 0.15, 0.9, 0.1, 0, 0.6125, 0.05, 0.3375, 0.9, 0.1, 0, 0.7625, 0.2375, 0, 0.8, 0.05, 0.15, 0.2125, 0.1125, 0.675, 0.2125, 0.1125, 0.675, 0.2, 0.6125, 0.1875, 0.2125, 0.1125, 0.675],
}
DENSITY = {
    "labels A": [3, 3, 3, 3, 4, 3, 3, 3, -1, 3, 3, 4, -1, -1, -1, 4, 4, 4, 3, 3, 4, 3, 4, 2, -1, 4, 4, -1, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, -1, 2, -1, 2, 2, -1, 2, 2, 2, 2, -1, 2, 2, 2, -1, 0, -1, 1, 0, 0, 0, 0, 0, -1, 1, 0, -1, 1, 0, 0, 0, 1, 0, 0, 1],
    "sure A": [1, 0.644772814, 0.644772814, 1, 1, 0.719299841, 0.719299841, 1, 0, 0.529300597, 0.696596271, 0.941499456, 0, 0, 0, 0.941499456, 1, 1, 1, 0.719299841, 1, 0.785909517, 1, 0.653538832, 0, 0.941499456, 1, 0, 0.785909517, 1, 0.715689165, 1, 0.821603393, 1, 1, 1, 1, 0.715689165, 1, 1, 0, 0.715689165, 0, 0.715689165, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0.524239749, 0.421983474, 0.658252806, 1, 0.578592992, 0, 1, 0.658252806, 0, 1, 0.658252806, 0.578592992, 1, 1, 1, 1, 1],
    "labels B": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 4, 4, 5, -1, 4, 4, 4, 5, -1, 4, 4, 4, 4, 5, 2, 4, 4, 4, 4, 4, 5, 4, -1, 4, 5, 4, 4, 2, -1, 1, 4, 3, -1, 1, -1, 3, 1, 1, -1, 3, -1, -1, -1, 3, -1, 3, 1, 3, -1, 0, 2, -1, 0, -1, 2, 0, -1, -1, 2],
    "sure B": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.962530449, 1, 1, 1, 1, 1, 1, 0.73258475, 1, 1, 0.962530449, 1, 1, 0.73258475, 1, 1, 1, 1, 1, 1, 1, 0.962530449, 1, 0.73258475, 0.962530449, 1, 1, 1, 1, 0, 1, 0.893232217, 1, 0, 1, 1, 0.393127852, 1, 0, 0.723624653, 0.657655921, 0.503281831, 0.503281831, 1, 1, 0.601336197, 0.401985699, 0.501122626, 1, 0.401985699, 1, 1, 0, 0.501122626, 1, 0.501122626, 0.501122626, 1, 0, 1, 0.503281831, 0.943712307, 0, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0.878941579, 1, 0, 1, 0, 1, 1, 0, 0, 1],
    "labels C": [-1, 2, -1, 0, -1, -1, 2, -1, 2, 0, -1, -1, 1, -1, -1, 2, -1, -1, 2, -1, 2, -1, -1, 2, -1, -1, 2, -1, -1, 2, 0, 1, -1, -1, -1, -1, 0, -1, 2, 1, -1, -1, 2, -1, -1, -1, -1, -1, -1, 2, -1, -1, -1, 0, 2, -1, -1, 0, -1, 2, 2, -1, 2, 2, -1, 2, -1, 2, -1, 2, -1, 0, 2, -1, 2, 2, 2, 2, 1, 1, -1, 0, 2, -1, 0, -1, -1, 2, -1, 0],
    "sure C": [0, 1, 0, 1, 0, 0, 0.617647663, 0, 1, 0.658142517, 0, 0, 1, 0, 0, 1, 0, 0, 0.975150988, 0, 0.814319767, 0, 0, 0.750886402, 0, 0, 0.567004143, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0.972035597, 0, 0.584291501, 1, 0, 0, 0.910972094, 0, 0, 0, 0, 0, 0, 0.654352748, 0, 0, 0, 1, 0.660121318, 0, 0, 0.795929184, 0, 0.798744957, 1, 0, 1, 0.971709896, 0, 0.775213175, 0, 1, 0, 0.53108343, 0, 1, 0.606758048, 0, 0.955986966, 0.908777208, 0.702197304, 0.687430981, 1, 1, 0, 1, 0.552651887, 0, 0.886313991, 0, 0, 0.617647663, 0, 0.979964797],
}

if __name__ == "__main__":
    mixture()
    hierarchies()
    axes()
    consensus()
    density()
