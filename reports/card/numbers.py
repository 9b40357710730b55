"""Reading a card's numbers back, and comparing them as written and as recomputed."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from circuitvar.audit.types import Estimate, Kind

TOLERANCE = 1e-9
"""Recomputed floats may differ by this much, relatively: another library version, not an edit."""


@dataclass(frozen=True)
class Check:
    """One thing that was verified."""

    name: str
    detail: str = ""
    """What is wrong; empty when nothing is."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.detail


def read_estimate(entry: Mapping[str, Any], *, unit: str = "") -> Estimate:
    """A card's estimate; null becomes NaN. `unit`: what the axis it belongs to resamples."""
    fields: dict[str, Any] = dict(entry)
    for name in ("value", "se", "low", "high"):
        fields[name] = math.nan if fields[name] is None else float(fields[name])
    if "kind" not in fields:
        fields |= _before_0_2(str(fields["interval"]), unit)
    return Estimate(**fields)


_KINDS: tuple[tuple[str, Kind], ...] = (
    ("fixed choices taken as a sample", "choices"),
    ("all runs equal", "bound"),
    ("row jackknife t", "runs"),
    ("subsampling, extrapolated", "subsampling"),
    ("delete-", "jackknife"),
    ("Clopper-Pearson", "exact"),
    ("infinitesimal jackknife", "resamples"),
    ("t over ", "t"),
)


def _before_0_2(interval: str, unit: str) -> dict[str, str]:
    """Kind, unit and what is missing, which older cards say only in the name of an interval."""
    kind = next((kind for words, kind in _KINDS if words in interval), "")
    if kind in ("runs", "choices", "bound") or interval.endswith(" runs)"):
        unit = "run"
    if not unit:
        unit = "template" if "template" in interval else "prompt"
    missing = ""
    if re.fullmatch(r"none \(\d+ units\)", interval):
        missing = f"no interval from fewer than 8 {unit}s"
    elif re.fullmatch(r"none \(\d+ runs\)", interval):
        missing = "no interval from fewer than 3 runs"
    return {"kind": kind, "unit": unit, "missing": missing}


def same(a: float, b: float) -> bool:
    """Whether two numbers agree up to `TOLERANCE`; NaN agrees with NaN."""
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (a != a and b != b)
