"""Reading a card's numbers back, and comparing them as written and as recomputed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from circuitvar.audit.types import Estimate

TOLERANCE = 1e-9
"""Recomputed floats may differ by this much, relatively: another library version, not an edit."""


@dataclass(frozen=True)
class Check:
    """One thing that was verified."""

    name: str
    ok: bool
    detail: str = ""
    """What is wrong; empty when nothing is."""


def read_estimate(entry: Mapping[str, Any]) -> Estimate:
    """A card's estimate; null becomes NaN."""
    fields: dict[str, Any] = dict(entry)
    for name in ("value", "se", "low", "high"):
        fields[name] = math.nan if fields[name] is None else float(fields[name])
    return Estimate(**fields)


def same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (a != a and b != b)
