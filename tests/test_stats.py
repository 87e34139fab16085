"""The statistics against values from elsewhere.

"scipy" is scipy 1.17.1: `binomtest(k, n).proportion_ci(c, "wilson")` and `fisher_exact([[a, n - a], [b, m - b]])`.
"""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from race.stats import fisher, interval, runs_needed, wilson, zero_hit_bound

# hits, n, confidence, low, high
WILSON_SCIPY = [
    (0, 1, 0.95, 0.0, 0.7934506856227626),
    (1, 1, 0.95, 0.20654931437723745, 1.0),
    (1, 10, 0.95, 0.017876213095072896, 0.4041500267952385),
    (5, 10, 0.95, 0.236593090512564, 0.7634069094874361),
    (7, 100, 0.95, 0.03431926106727269, 0.13749514739073504),
    (7512, 100_000, 0.95, 0.07350258486352462, 0.07677005706302395),
    (7512, 100_000, 0.99, 0.07300104737542149, 0.07729532958138258),
    (3, 2_400_000, 0.95, 4.2511289247879356e-07, 3.6754883860225288e-06),
    (0, 100_000, 0.95, 0.0, 3.841311258303963e-05),
    (9_999_999, 10_000_000, 0.95, 0.9999994335067981, 0.9999999823475443),
]
# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998): table I.
WILSON_NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]

# a hits, a n, b hits, b n, p
FISHER_SCIPY = [
    (8, 10, 1, 6, 0.034965034965034975),
    (1, 9, 11, 14, 0.0027594561852200836),
    (5, 10, 5, 10, 1.0),
    (0, 5, 5, 5, 0.007936507936507938),
    (2, 24, 7, 25, 0.13833321552272568),
    (2, 7, 8, 9, 0.03496503496503497),
    (0, 12, 3, 4, 0.0071428571428571435),
    (58, 100, 31, 120, 2.17594796883294e-06),
    (41, 10_000, 27, 10_000, 0.1136392893381052),
    (750, 10_000, 700, 10_000, 0.18148340042528974),
    (12, 100_000, 0, 100_000, 0.0004881201345061775),
    (100, 300_000, 40, 100_000, 0.32959284981122194),
]


@pytest.mark.parametrize(("hits", "n", "confidence", "low", "high"), WILSON_SCIPY)
def test_wilson_agrees_with_scipy(hits: int, n: int, confidence: float, low: float, high: float) -> None:
    interval = wilson(hits, n, confidence)
    assert interval.rate == hits / n
    assert interval.low == pytest.approx(low, rel=1e-9, abs=0)
    assert interval.high == pytest.approx(high, rel=1e-12)


@pytest.mark.parametrize(("hits", "n", "low", "high"), WILSON_NEWCOMBE)
def test_wilson_agrees_with_newcombe(hits: int, n: int, low: float, high: float) -> None:
    interval = wilson(hits, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_wilson_knows_nothing_of_no_executions() -> None:
    interval = wilson(0, 0)
    assert (interval.rate, interval.low, interval.high) == (0.0, 0.0, 1.0)


@given(st.integers(0, 10**7), st.data())
def test_wilson_holds_the_rate(n: int, data: st.DataObject) -> None:
    interval = wilson(data.draw(st.integers(0, n)), n)
    assert 0 <= interval.low <= interval.rate <= interval.high <= 1


@pytest.mark.parametrize(("a_hits", "a_n", "b_hits", "b_n", "p"), FISHER_SCIPY)
def test_fisher_agrees_with_scipy(a_hits: int, a_n: int, b_hits: int, b_n: int, p: float) -> None:
    assert fisher(a_hits, a_n, b_hits, b_n) == pytest.approx(p, rel=1e-9)


def test_fisher_agrees_with_published_examples() -> None:
    # R's documentation of fisher.test: the lady tasting tea (the one-sided 0.2429, doubled), and convictions of twins.
    assert round(fisher(3, 4, 1, 4), 4) == 0.4857
    assert round(fisher(2, 17, 10, 13), 7) == 0.0005367


def exact(a_hits: int, a_n: int, b_hits: int, b_n: int) -> Fraction:
    hits = a_hits + b_hits
    weights = {k: math.comb(a_n, k) * math.comb(b_n, hits - k) for k in range(max(0, hits - b_n), min(hits, a_n) + 1)}
    return Fraction(sum(w for w in weights.values() if w <= weights[a_hits]), sum(weights.values()))


@given(st.integers(0, 60), st.integers(0, 60), st.data())
def test_fisher_agrees_with_fractions(a_n: int, b_n: int, data: st.DataObject) -> None:
    a_hits, b_hits = data.draw(st.integers(0, a_n)), data.draw(st.integers(0, b_n))
    p = fisher(a_hits, a_n, b_hits, b_n)
    assert p == pytest.approx(float(exact(a_hits, a_n, b_hits, b_n)), rel=1e-12)
    assert p == pytest.approx(fisher(b_hits, b_n, a_hits, a_n), rel=1e-12)


@pytest.mark.parametrize("hits", [1, 5, 6, 7, 40])
def test_fisher_with_ten_million_executions(hits: int) -> None:
    # All hits on one side, equal arms: twice the chance that each hit falls there. A wrong tie would halve it.
    n = 10**7
    one_side = math.prod(Fraction(n - i, 2 * n - i) for i in range(hits))
    assert fisher(hits, n, 0, n) == pytest.approx(float(2 * one_side), rel=1e-12)


def test_fisher_is_quick() -> None:
    n = 10**7
    start = time.perf_counter()
    assert fisher(5_000_000, n, 5_001_000, n) == pytest.approx(0.65504, rel=1e-4)
    assert fisher(750_000, n, 0, n) == 0.0  # smaller than any float
    assert fisher(n, n, 0, n) == 0.0
    assert time.perf_counter() - start < 1


def test_six_against_none_is_the_least_for_five_percent() -> None:
    for n in (50, 1000, 10**6):
        assert fisher(6, n, 0, n) < 0.05 < fisher(5, n, 0, n)


def test_zero_hit_bound() -> None:
    # Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249 (1983): about 3/n.
    assert zero_hit_bound(10) == pytest.approx(0.2589, abs=5e-5)
    assert zero_hit_bound(100_000) == pytest.approx(3 / 100_000, rel=2e-3)
    assert zero_hit_bound(0) == 1.0


def test_what_reports_show_has_one_bound_for_no_hit() -> None:
    for n in (0, 1, 2000, 10**6):
        assert interval(0, n).high == zero_hit_bound(n)
        assert (interval(0, n).rate, interval(0, n).low) == (0.0, 0.0)
    assert interval(7, 100) == wilson(7, 100)
    assert interval(1, 1) == wilson(1, 1)


@given(st.integers(1, 10**7), st.sampled_from([0.9, 0.95, 0.99]))
def test_zero_hit_bound_solves_its_equation(n: int, confidence: float) -> None:
    assert (1 - zero_hit_bound(n, confidence)) ** n == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize("hits", [-1, 11])
def test_impossible_counts_are_refused(hits: int) -> None:
    with pytest.raises(ValueError, match="hits must be between 0 and"):
        wilson(hits, 10)
    with pytest.raises(ValueError, match="hits must be between 0 and"):
        fisher(0, 10, hits, 10)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        zero_hit_bound(10, confidence)


# rate, confidence, runs. The first three are Wilks' sample sizes of non-parametric tolerance limits (Annals of
# Mathematical Statistics 12, 1941), as engineers quote them: 59 for 95/95, 299 for 99/95, 22 for 90/90.
RUNS_NEEDED = [
    (0.05, 0.95, 59),
    (0.01, 0.95, 299),
    (0.10, 0.90, 22),
    (0.05, 0.99, 90),
    (1.0, 0.95, 1),
    (1e-6, 0.95, 2_995_731),
]


@pytest.mark.parametrize(("rate", "confidence", "runs"), RUNS_NEEDED)
def test_runs_needed(rate: float, confidence: float, runs: int) -> None:
    assert runs_needed(rate, confidence) == runs
    # It is the least: with it the bound of no hit is at most the rate, with one fewer it is not.
    assert zero_hit_bound(runs, confidence) <= rate * (1 + 1e-12)
    if runs > 1:
        assert zero_hit_bound(runs - 1, confidence) > rate * (1 - 1e-12)


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5])
def test_runs_needed_for_an_impossible_rate(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        runs_needed(rate)
