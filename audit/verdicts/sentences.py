"""Sentences that verdicts share, and what it would take to decide."""

import numpy as np

from circuitvar.audit.types import Estimate, Verdict

UNTIE = "a size outside the tie, or a method and metric that tell these edges apart"
"""What it takes to decide where ties decide."""
BETWEEN, WITHIN = "between-template", "within-template"
_WITHIN_REACH = 1000
"""More than this many times the present sample is reported as out of reach."""


def tied_reason(edges: int) -> str:
    """Why stability is undecided where edges tie."""
    return f"{edges} edges tie at the cut; their order in the graph decides."


def needed_units(estimate: Estimate, bar: float, *, unit: str = "run") -> str:
    """Units at which an interval that shrinks as 1/sqrt(n) would clear the bar at this distance.

    n' = n (half width towards the bar / distance)². The estimate is taken to stay where it is.
    """
    if estimate.kind == "choices":
        return "nothing more to run: these choices were named beforehand"
    distance = abs(estimate.value - bar)
    half = estimate.value - estimate.low if estimate.value > bar else estimate.high - estimate.value
    if distance == 0 or half / distance > np.sqrt(_WITHIN_REACH) or estimate.n == 0:
        return f"out of reach: the estimate is {distance:.2g} from the bar"
    return f"about {_round_up(estimate.n * (half / distance) ** 2)} {unit}s"


def structure_and_function(structure: Verdict, function: Verdict) -> str:
    """What the two verdicts say together.

    The case that matters is unstable structure with equal function: several circuits do the same
    job.
    """
    if "no compression" in (structure.outcome, function.outcome):
        return "no compression"
    structures = {"pass": "stable", "fail": "unstable"}
    functions = {"pass": "equal", "fail": "different"}
    return (
        f"{structures.get(structure.outcome, 'undecided')} structure, "
        f"{functions.get(function.outcome, 'undecided')} function"
    )


def _round_up(value: float) -> int:
    """Two significant digits, upwards."""
    if value <= 10:
        return int(np.ceil(value))
    scale = 10 ** (int(np.floor(np.log10(value))) - 1)
    return int(np.ceil(value / scale) * scale)
