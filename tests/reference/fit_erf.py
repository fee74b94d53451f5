"""Fits erf(z) / z by a ratio of two polynomials in z², as src/embed/bert/simd.rs evaluates it.

Linearised least squares, re-weighted until the relative error is level (Lawson's method), on |z| up to 3.84, beyond which
erf rounds to 1 in f32. Prints the coefficients, lowest power first, and the error of evaluating them in f32.
Needs numpy and scipy.
"""

import numpy as np
from scipy.special import erf

EDGE, DEGREE, N_POINTS, N_ROUNDS = 3.84, 5, 4000, 60


def fit():
    z = EDGE / 2 * (1 - np.cos(np.pi * (np.arange(N_POINTS) + 0.5) / N_POINTS))
    value, scaled = erf(z) / z, (z / EDGE) ** 2
    powers = np.stack([scaled**i for i in range(DEGREE + 1)], 1)
    design = np.concatenate([powers, -value[:, None] * powers[:, 1:]], 1)
    weight, denominator = np.ones(N_POINTS), np.ones(N_POINTS)
    best_error, best = np.inf, None
    for _ in range(N_ROUNDS):
        row_weight = np.sqrt(weight) / (value * denominator)
        found = np.linalg.lstsq(design * row_weight[:, None], value * row_weight, rcond=None)[0]
        p, q = found[: DEGREE + 1], np.concatenate([[1.0], found[DEGREE + 1 :]])
        denominator = np.abs(powers @ q)
        error = np.abs((powers @ p) / (powers @ q) / value - 1)
        if error.max() < best_error:
            best_error, best = error.max(), (p, q)
        weight *= error / error.max() + 1e-3
        weight /= weight.mean()
    unscale = EDGE ** -(2.0 * np.arange(DEGREE + 1))
    return best_error, best[0] * unscale, best[1] * unscale


def horner(x, coefficients):
    total = np.full_like(x, np.float32(coefficients[-1]))
    for coefficient in coefficients[-2::-1]:
        total = total * x + np.float32(coefficient)
    return total


if __name__ == "__main__":
    error, p, q = fit()
    x = np.linspace(-5, 5, 2_000_001).astype(np.float32)
    z = np.clip(x, -EDGE, EDGE).astype(np.float32)
    computed = np.clip(z * horner(z * z, p) / horner(z * z, q), -1, 1)
    print("P", [float(np.float32(c)) for c in p])
    print("Q", [float(np.float32(c)) for c in q])
    print(f"relative error {error:.1e}; absolute error in f32 {np.abs(computed - erf(x.astype(np.float64))).max():.1e}")
