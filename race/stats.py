"""How sure a count of findings makes us: intervals, tests, and what no finding at all means."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import lru_cache
from statistics import NormalDist

from race.results import Interval

CONFIDENCE = 0.95

# Digits of the logarithms that Fisher's test compares. Doubles would not do: in them log 10,000,000! has an absolute
# error of 3e-8, and whether a table counts as "as unlikely as the observed one" hangs on equality.
_DIGITS = 40
_TIE = Decimal(1).scaleb(-20)
# From here on five terms of the asymptotic series for log n! are right to about _DIGITS.
_EXACT_FACTORIALS = 2000
_SERIES = ((1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188))
_PI = Decimal("3.14159265358979323846264338327950288419716939937510")


def wilson(hits: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The rate hits/n with Wilson's score interval. With n = 0 nothing is known: 0 to 1."""
    _check_counts(hits, n)
    z = NormalDist().inv_cdf((1 + _checked(confidence)) / 2)
    if n == 0:
        return Interval(rate=0.0, low=0.0, high=1.0)
    rate = hits / n
    shrunk = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrunk
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / shrunk
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Interval(rate=rate, low=low, high=high)


def interval(hits: int, n: int) -> Interval:
    """Wilson's; where nothing was found, up to the bound of zero_hit_bound. Every report's figures are these."""
    return Interval(rate=0.0, low=0.0, high=zero_hit_bound(n)) if hits == 0 else wilson(hits, n)


def zero_hit_bound(n: int, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper bound (Clopper and Pearson) of a rate that gave no hit in n executions: about 3/n."""
    _check_counts(0, n)
    return 1.0 if n == 0 else -math.expm1(math.log1p(-_checked(confidence)) / n)


def runs_needed(rate: float, confidence: float = CONFIDENCE) -> int:
    """How many executions show at least one hit with that probability, if each has one at this rate."""
    if not 0 < rate <= 1:
        raise ValueError(f"rate {rate}: must be above 0, at most 1")
    _checked(confidence)
    return 1 if rate == 1 else math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def fisher(a_hits: int, a_n: int, b_hits: int, b_n: int) -> float:
    """Fisher's exact test of a_hits/a_n against b_hits/b_n: two-sided, over all tables no likelier than this one."""
    _check_counts(a_hits, a_n)
    _check_counts(b_hits, b_n)
    table = _Table(a_n, b_n, a_hits + b_hits)
    if table.low == table.high:
        return 1.0
    mode = (table.hits + 1) * (a_n + 1) // (a_n + b_n + 2)
    lower: int | None
    upper: int | None
    if a_hits >= mode:
        upper, lower = a_hits, table.last_at_most(a_hits, table.low, mode)
    else:
        upper, lower = table.first_at_most(a_hits, mode, table.high), a_hits
    if lower is not None and upper is not None and lower >= upper:  # the observed table is the likeliest
        return 1.0
    tails = 0.0 if upper is None else table.tail(upper, +1)
    tails += 0.0 if lower is None else table.tail(lower, -1)
    return min(1.0, tails)


class _Table:
    """The hypergeometric law of the first arm's hits, the margins of the table being given."""

    def __init__(self, a_n: int, b_n: int, hits: int) -> None:
        self.a_n, self.b_n, self.hits = a_n, b_n, hits
        self.low, self.high = max(0, hits - b_n), min(hits, a_n)

    def log(self, k: int) -> Decimal:
        with localcontext() as context:
            context.prec = _DIGITS
            return (
                _log_choose(self.a_n, k)
                + _log_choose(self.b_n, self.hits - k)
                - _log_choose(self.a_n + self.b_n, self.hits)
            )

    def tail(self, k: int, step: int) -> float:
        """The probability of k and all beyond it, away from the mode."""
        term = math.exp(self.log(k))
        total = 0.0
        while self.low <= k <= self.high and term > total * 1e-18:
            total += term
            if step > 0:
                term *= (self.a_n - k) * (self.hits - k) / ((k + 1) * (self.b_n - self.hits + k + 1))
            else:
                term *= k * (self.b_n - self.hits + k) / ((self.a_n - k + 1) * (self.hits - k + 1))
            k += step
        return total

    def last_at_most(self, observed: int, low: int, high: int) -> int | None:
        """The largest k in low..high, where the law rises, that is no likelier than `observed`; None: there is none."""
        limit = self.log(observed) + _TIE
        if self.log(low) > limit:
            return None
        while low < high:
            middle = (low + high + 1) // 2
            if self.log(middle) <= limit:
                low = middle
            else:
                high = middle - 1
        return low

    def first_at_most(self, observed: int, low: int, high: int) -> int | None:
        """The smallest such k in low..high, where the law falls."""
        limit = self.log(observed) + _TIE
        if self.log(high) > limit:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.log(middle) <= limit:
                high = middle
            else:
                low = middle + 1
        return high


def _log_choose(n: int, k: int) -> Decimal:
    return _log_factorial(n) - _log_factorial(k) - _log_factorial(n - k)


@lru_cache(maxsize=4096)
def _log_factorial(n: int) -> Decimal:
    if n < _EXACT_FACTORIALS:
        return Decimal(math.factorial(n)).ln()
    x = Decimal(n)
    stirling = x * x.ln() - x + (2 * _PI * x).ln() / 2
    return stirling + sum((Decimal(a) / (b * x ** (2 * i + 1)) for i, (a, b) in enumerate(_SERIES)), Decimal(0))


def _check_counts(hits: int, n: int) -> None:
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n}: hits must be between 0 and the number of executions")


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: must be between 0 and 1")
    return confidence
