"""Faithfulness against circuit size, and its areas: MIB's CPR and CMD.

MIB (arXiv 2504.13151) plots the share of edges asked for on a linear axis, where the step from
50 to 100 % carries half of the area; a log axis weighs sparse circuits. Both are given, on asked
and on live shares, because top-n can leave far fewer edges after dangling ones are removed.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.circuits.evaluate.evaluate import evaluate_masks, summarize
from circuitvar.circuits.find import MIB_FRACTIONS, top_fraction
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Ablation
from circuitvar.tasks.types import Batch, Metric

Sizes = Float[np.ndarray, " size"]


def faithfulness_curve(
    model: Model,
    scores: Float[np.ndarray, " edge"],
    batch: Batch,
    *,
    metric: Metric | str,
    ablation: Ablation = "patching",
    fractions: Sequence[float] = MIB_FRACTIONS,
    signed: bool = False,
    prune: bool = True,
) -> pd.DataFrame:
    """Evaluate the top-share circuits of one score vector on held-out prompts.

    One row per share: share, requested, selected, live (after pruning), live_share, and every
    number of `summarize`.
    """
    graph = model.graph
    circuits = [
        top_fraction(graph, scores, share, signed=signed, prune=prune) for share in fractions
    ]
    masks = np.stack([circuit.kept for circuit in circuits])
    results = evaluate_masks(model, masks, batch, metric=metric, ablation=ablation)
    rows = []
    for share, circuit, result in zip(fractions, circuits, results, strict=True):
        sizes = {"requested": circuit.requested, "selected": circuit.selected, "live": circuit.size}
        live = {"live_share": circuit.size / graph.n_edges}
        rows.append({"share": share, **sizes, **live, **summarize(result)})
    return pd.DataFrame(rows)


def area(x: Sizes, y: Sizes, *, axis: Literal["linear", "log"] = "linear") -> float:
    """Trapezoid area of y over the share of edges x.

    `linear` is MIB's: the plain area from the smallest share to 1 (an ideal curve gives .999).
    `log` is the area over log10 x divided by its width, so that an ideal curve gives 1.

    >>> x = np.array([0.001, 0.01, 0.1, 1.0])
    >>> area(x, np.ones(4)), area(x, np.ones(4), axis="log")
    (0.999, 1.0)
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    if axis == "linear":
        return float(np.trapezoid(y, x))
    if axis != "log":
        raise ValueError(f"axis must be 'linear' or 'log', got {axis!r}")
    if x[0] <= 0:
        raise ValueError("a share of 0 edges has no place on a log axis; leave it out")
    place = np.log10(x)
    width = place[-1] - place[0]
    return float(np.trapezoid(y, place) / width) if width > 0 else float(y[-1])


def curve_areas(curve: pd.DataFrame) -> dict[str, float]:
    """CPR (area of f, high is good) and CMD (area of |1 - f|, low is good) of a curve.

    f is the ratio of dataset means. Keys end in _linear or _log; `live` areas put the edges that
    are left after pruning on the axis, and skip empty circuits.
    """
    areas = {}
    f = curve["faithfulness"].to_numpy(dtype=float)
    for name, column in (("", "share"), ("_live", "live_share")):
        x = curve[column].to_numpy(dtype=float)
        on = x > 0
        for axis in ("linear", "log"):
            here = on if name or axis == "log" else np.ones_like(on)
            areas[f"cpr{name}_{axis}"] = area(x[here], f[here], axis=axis)
            areas[f"cmd{name}_{axis}"] = area(x[here], np.abs(1 - f[here]), axis=axis)
    return areas
