"""Digits worth showing, decided by the standard error.

A table that shows more digits than its noise supports invites reading noise. Shown numbers follow
the Particle Data Group's rule (Review of Particle Physics, introduction, section 5.3); exported
files keep full precision, so nothing here is ever applied to a CSV or a card.
"""

import math

from circuitvar.audit.types import Estimate

MISSING = "–"
"""Shown where there is no number."""


def decimals(se: float, *, default: int = 3) -> int:
    """Decimal places worth showing for a value with standard error `se`.

    Two significant digits of the standard error when its three leading digits lie in 100-354,
    one in 355-949, and 950-999 round up to 1000 and keep two. May be negative: -1 rounds to tens.
    Without a positive finite standard error the answer is `default`.

    >>> decimals(0.0171), decimals(0.052), decimals(0.097), decimals(12.0)
    (3, 2, 2, 0)
    """
    if not (math.isfinite(se) and se > 0):
        return default
    exponent = math.floor(math.log10(se))
    leading = round(se / 10.0**exponent * 100)
    if leading >= 950:
        return -exponent
    return 1 - exponent if leading <= 354 else -exponent


def show(value: float, se: float = math.nan, *, default: int = 3) -> str:
    """`value` with as many digits as `se` supports; plain decimal notation.

    >>> show(0.78421, 0.0171), show(0.78421, 0.052), show(float("nan"))
    ('0.784', '0.78', '–')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    places = decimals(se, default=default)
    text = f"{round(value, places):.{max(places, 0)}f}"
    # A rounded negative zero would print as -0.00.
    return text.removeprefix("-") if float(text) == 0 else text


def show_interval(estimate: Estimate) -> str:
    """`[low, high]` with the digits of the estimate's standard error.

    >>> show_interval(Estimate("phi", 0.784, 0.0171, 0.7504, 0.8176))
    '[0.750, 0.818]'
    """
    if math.isnan(estimate.low) and math.isnan(estimate.high):
        return MISSING
    low, high = (show(bound, estimate.se) for bound in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def show_estimate(estimate: Estimate) -> str:
    """`value [low, high]`, or the value alone where there is no interval.

    >>> show_estimate(Estimate("phi", 0.784, 0.0171, 0.7504, 0.8176))
    '0.784 [0.750, 0.818]'
    """
    value = show(estimate.value, estimate.se)
    interval = show_interval(estimate)
    return value if interval == MISSING else f"{value} {interval}"
