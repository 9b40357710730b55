"""Confidence and error rate are two numbers with two names, each checked in one place.

A confidence level (.95) says how sure an interval is; an error rate alpha (.05) says how often a
test may reject by chance. One taken for the other turns a failed test into a passed one.
"""

from typing import Annotated

from circuitvar.circuits.option import STATISTICS, Option, Range

CONFIDENCE = Range(least=0.5, below=1)
ERROR_RATE = Range(above=0, most=0.5)
Confidence = Annotated[
    float, Option("Confidence level.", STATISTICS, CONFIDENCE, formerly="--level")
]
Alpha = Annotated[float, Option("Error rate.", STATISTICS, ERROR_RATE, formerly="--level")]


def check_confidence(confidence: float) -> float:
    """The confidence level of an interval, if it is one.

    Raises
    ------
    ValueError
        It is below 0.5, or 1 or more.
    """
    if confidence in CONFIDENCE:
        return confidence
    said = "is not a confidence level; give a share from 0.5 to 0.999, e.g. 0.95"
    raise ValueError(f"confidence = {confidence:g} {said}{_meant(confidence, 'an error rate')}")


def check_alpha(alpha: float) -> float:
    """The error rate of a test, if it is one.

    Raises
    ------
    ValueError
        It is 0 or less, or above 0.5.
    """
    if alpha in ERROR_RATE:
        return alpha
    said = "is not an error rate; give a share above 0 and up to 0.5, e.g. 0.05"
    raise ValueError(f"alpha = {alpha:g} {said}{_meant(alpha, 'a confidence level')}")


def _meant(value: float, other: str) -> str:
    """What was probably meant, where the complement would have been accepted."""
    return f" ({value:g} is {other}: give {1 - value:g})" if 0 < value < 1 else ""
