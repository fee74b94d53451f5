"""Compares BG/NBD, Gamma-Gamma and lifetime values with the Python package `lifetimes`, on CDNOW.

    python tests/reference/bgnbd.py [TRANSACTIONS_CSV]

Fits the tenth of CDNOW that comes with the package and, where the file is there, all of it (customer_id, date, dollar_value), and
prints the figures that src/features/lifetime/tests.rs holds as constants. It fails where the package no longer says what they say.
"""

import sys
import warnings

import pandas
from lifetimes import BetaGeoFitter, GammaGammaFitter
from lifetimes.datasets import load_cdnow_summary_data_with_monetary_value
from lifetimes.utils import summary_data_from_transaction_data

# What the tests hold: r, alpha, a, b and p, q, v.
TENTH = [0.2425929, 4.4135316, 0.7928862, 2.4257534, 6.2488025, 3.7445885, 15.4477481]
WHOLE = [0.2516240, 4.7889430, 0.7234336, 2.1610883, 6.2753586, 3.6244502, 14.9836890]
CALIBRATION_END = "1997-09-30"


def fitted(summary):
    """The parameters of both models for a frame of frequency, recency, T (weeks) and monetary_value."""
    purchases = BetaGeoFitter(penalizer_coef=0.0)
    purchases.fit(summary["frequency"], summary["recency"], summary["T"], tol=1e-8)
    amounts = GammaGammaFitter(penalizer_coef=0.0)
    again = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
    amounts.fit(again["frequency"], again["monetary_value"], tol=1e-7)
    return purchases, amounts


def compare(name, summary, expected):
    purchases, amounts = fitted(summary)
    found = [*purchases.params_, *amounts.params_]
    print(f"{name}, {len(summary)} customers: r, alpha, a, b, p, q, v =", ", ".join(f"{value:.7f}" for value in found))
    for value, constant in zip(found, expected, strict=True):
        assert abs(value - constant) < 5e-4 * constant, f"{name}: the tests hold {constant}, the package says {value}"
    return purchases, amounts


def weeks(transactions):
    summary = summary_data_from_transaction_data(
        transactions, "customer_id", "date", monetary_value_col="dollar_value",
        observation_period_end=CALIBRATION_END, freq="D")
    summary[["recency", "T"]] /= 7
    return summary


def predictions(purchases, amounts):
    rows = [(0, 0.0, 39.0, 0.0), (2, 30.43, 38.86, 22.35), (7, 29.43, 38.86, 73.74), (1, 5.0, 39.0, 16.77), (26, 38.0, 39.0, 35.0)]
    for x, last, age, mean in rows:
        alive = float(purchases.conditional_probability_alive(x, last, age)[0])
        soon, late = (purchases.conditional_expected_number_of_purchases_up_to_time(t, x, last, age) for t in (39, 520))
        amount = amounts.conditional_expected_average_profit(x, mean)
        print(f"x {x}, t_x {last}, T {age}, mean {mean}: alive {alive:.10f}, in 39 weeks {soon:.12f}, in 520 {late:.12f}, "
              f"amount {amount:.12f}")
    frame = pandas.DataFrame(rows, columns=["frequency", "recency", "T", "monetary_value"])
    values = amounts.customer_lifetime_value(
        purchases, frame["frequency"], frame["recency"], frame["T"], frame["monetary_value"],
        time=12, discount_rate=0.01, freq="W")
    print("lifetime values over 12 months:", ", ".join(f"{value:.12f}" for value in values))


def main():
    warnings.filterwarnings("ignore")
    predictions(*compare("a tenth", load_cdnow_summary_data_with_monetary_value(), TENTH))
    try:
        transactions = pandas.read_csv(sys.argv[1], parse_dates=["date"], dtype={"customer_id": str})
    except (IndexError, FileNotFoundError):
        print("skipped: all of CDNOW; its file is not there")
    else:
        compare("the whole", weeks(transactions), WHOLE)


if __name__ == "__main__":
    main()
