"""Does an approximation rank edges as exact patching does? Agreement of means, with intervals.

Both methods are scored on the same prompts, so the comparison is free of sampling differences;
what prompts remain uncertain enters through a delete-one-unit jackknife.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from circuitvar.audit.indices import spearman
from circuitvar.audit.intervals import row_jackknife_se, t_interval
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.tasks.units import sampling_units

Scores = Float[np.ndarray, "example edge"]


def top_overlap(
    a: Float[np.ndarray, " edge"], b: Float[np.ndarray, " edge"], size: int, *, signed: bool = False
) -> float:
    """Share of the `size` strongest edges that two score vectors have in common.

    Edges with score 0 are never kept (`select.top_n`): where fewer than `size` are left it is the
    share of the larger of the two sets. NaN where both are empty.

    >>> top_overlap(np.array([3.0, 2.0, 1.0]), np.array([3.0, 0.0, 1.0]), 2)
    0.5
    """
    masks = top_n_masks(np.stack([a, b]), size, signed=signed)
    kept = int(masks.sum(axis=1).max())
    return float((masks[0] & masks[1]).sum() / kept) if kept else float("nan")


def sign_agreement(
    a: Float[np.ndarray, " edge"], b: Float[np.ndarray, " edge"], size: int
) -> float:
    """Share of the `size` strongest edges of `b` on which both have the same sign.

    Edges without an effect in `b` have none. NaN where no edge has one.
    """
    strongest = np.argsort(-np.abs(b), kind="stable")[:size]
    strongest = strongest[b[strongest] != 0]
    if not len(strongest):
        return float("nan")
    return float((np.sign(a[strongest]) == np.sign(b[strongest])).mean())


def agreement_estimates(
    method: Scores,
    exact: Scores,
    templates: tuple[str, ...],
    *,
    size: int,
    signed: bool = False,
    level: float = 0.95,
) -> tuple[Estimate, ...]:
    """Rank correlation over all edges, overlap and sign agreement on the strongest `size`.

    Raises
    ------
    ValueError
        The two matrices are not of the same prompts and edges.
    """
    if method.shape != exact.shape:
        raise ValueError(
            f"scores are {method.shape} and exact scores {exact.shape}; score the same prompts "
            "and edges with both"
        )
    statistics: dict[str, tuple[Callable[[np.ndarray, np.ndarray], float], str, float]] = {
        "rank correlation with exact": (
            lambda a, b: spearman(a, b) if signed else spearman(np.abs(a), np.abs(b)),
            f"Spearman correlation of mean {'scores' if signed else '|scores|'} over all edges",
            -1.0,
        ),
        "top-n overlap with exact": (
            lambda a, b: top_overlap(a, b, size, signed=signed),
            f"share of the {size} strongest edges in common",
            0.0,
        ),
        "sign agreement with exact": (
            lambda a, b: sign_agreement(a, b, size),
            f"share of equal signs on the {size} strongest edges by exact patching",
            0.0,
        ),
    }
    of_example, unit = sampling_units(len(method), templates)
    means = [
        (left_a, left_b)
        for left_a, left_b in zip(
            _leave_one_out(method, of_example), _leave_one_out(exact, of_example), strict=True
        )
    ]
    a, b = method.mean(axis=0, dtype=np.float64), exact.mean(axis=0, dtype=np.float64)
    return tuple(
        t_interval(
            Estimate(
                name,
                statistic(a, b),
                row_jackknife_se(np.array([statistic(*pair) for pair in means])),
                level=level,
                n=len(means),
                interval=f"delete-one-{unit} jackknife t",
                estimand=estimand,
                kind="jackknife",
                unit=unit,
            ),
            df=len(means) - 1,
            bounds=(floor, 1.0),
        )
        for name, (statistic, estimand, floor) in statistics.items()
    )


def _leave_one_out(scores: Scores, unit: np.ndarray) -> Float[np.ndarray, "unit edge"]:
    """Mean scores without each unit."""
    n_units = int(unit.max()) + 1
    membership = np.zeros((n_units, len(unit)))
    membership[unit, np.arange(len(unit))] = 1
    sums = membership @ scores.astype(np.float64)
    sizes = membership.sum(axis=1, keepdims=True)
    return (sums.sum(axis=0) - sums) / (sizes.sum() - sizes)
