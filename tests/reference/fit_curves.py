"""Fits the curves that src/embed/kernels/mathematics.rs evaluates: Φ and its tail for GELU, 2^f for the softmax.

Weighted least squares in Chebyshev's basis, re-weighted until the error is level (Lawson's method). (Φ(x) - 1/2) / x is a
polynomial in t = 2 x² / edge² - 1 and is held to 1 / (2 edge) at t = 1, so that Φ is 0 and 1 from the edge on. Prints the
coefficients, lowest power first, with the error of GELU as a share of |x| when it is evaluated in f32.
Needs numpy and scipy.
"""

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erf

N_POINTS, N_ROUNDS = 4000, 200
NODES = np.cos(np.pi * (np.arange(N_POINTS) + 0.5) / N_POINTS)


def levelled(values, degree, base, bound):
    """The polynomial times `base` that is nearest to `values` at the nodes, errors measured in units of 1 / `bound`."""
    weight = np.ones(N_POINTS)
    for _ in range(N_ROUNDS):
        found = chebyshev.chebfit(NODES, values / base, degree, w=weight * base * bound)
        error = np.abs(chebyshev.chebval(NODES, found) * base - values) * bound
        weight *= (error / error.max()) ** 0.3 + 0.05
        weight /= weight.max()
    return found


def horner(t, coefficients):
    total = np.full_like(t, np.float32(coefficients[-1]))
    for coefficient in coefficients[-2::-1]:
        total = np.float32(total * t + np.float32(coefficient))
    return total


def fit_cdf(edge, degree):
    x = np.sqrt((NODES + 1) / 2) * edge
    end = 0.5 / edge
    slope = erf(x / np.sqrt(2)) / x / 2
    rest = levelled(slope - end, degree - 1, 1 - NODES, x * np.maximum(x, 0.3))
    whole = chebyshev.chebadd([end], chebyshev.chebmul([1, -1], rest))
    coefficients = chebyshev.cheb2poly(whole)
    x = np.linspace(-8, 8, 1_600_001).astype(np.float32)
    cut = np.clip(x, np.float32(-edge), np.float32(edge))
    t = np.float32(cut * cut * np.float32(2 / edge**2) - np.float32(1))
    computed = np.float32(0.5) + cut * horner(t, coefficients)
    error = np.abs(computed - (0.5 + 0.5 * erf(x.astype(np.float64) / np.sqrt(2)))).max()
    print(f"Φ to {edge}, degree {degree}, off by {error:.1e}:", [float(np.float32(c)) for c in coefficients])


def fit_tail(edge, degree):
    """-Φ(-t) for t from 0 to the edge, where it is 0: GELU is max(x, 0) + |x| times it."""
    t = (NODES + 1) / 2 * edge
    tail = -0.5 * (1 - erf(t / np.sqrt(2)))
    rest = levelled(tail, degree - 1, 1 - NODES, np.ones(N_POINTS))
    in_nodes = np.polynomial.Polynomial(chebyshev.cheb2poly(chebyshev.chebmul([1, -1], rest)))
    coefficients = in_nodes(np.polynomial.Polynomial([-1, 2 / edge])).coef
    x = np.linspace(-8, 8, 1_600_001).astype(np.float32)
    distance = np.minimum(np.abs(x), np.float32(edge))
    computed = np.float32(np.maximum(x, 0) + distance * horner(distance, coefficients))
    exact = x * (0.5 + 0.5 * erf(x.astype(np.float64) / np.sqrt(2)))
    error = (np.abs(computed - exact) / np.maximum(np.abs(x), 1e-6)).max()
    print(f"-Φ(-t) to {edge}, degree {degree}, off by {error:.1e}:", [float(np.float32(c)) for c in coefficients])


def fit_power(degree):
    f = NODES / 2
    found = levelled(2.0**f, degree, np.ones(N_POINTS), 2.0**-f)
    error = np.abs(chebyshev.chebval(NODES, found) / 2.0**f - 1).max()
    coefficients = chebyshev.cheb2poly(found) * 2.0 ** np.arange(degree + 1)
    print(f"2^f, degree {degree}, off by {error:.1e}:", [float(np.float32(c)) for c in coefficients])


if __name__ == "__main__":
    fit_cdf(5.6, 15)
    fit_tail(3.6, 6)
    fit_power(6)
    fit_power(4)
