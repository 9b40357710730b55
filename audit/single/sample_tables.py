"""Tables that look ahead from the score matrix: other sample sizes, chance edges, certificates."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.edges import (
    certified_circuit,
    decision_table,
    r_concave,
    unimodal,
    worst_case,
)
from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis
from circuitvar.audit.variance import within_between
from circuitvar.tasks.units import use_templates

DELETED = (0.5, 0.9)
"""Shares of prompts deleted in certificates; at .5 no edge can be certified against an edit."""
REPLICATES = 300
THRESHOLDS = (0.6, 0.7, 0.8, 0.9, 1.0)


def decision_study(
    values: Float[np.ndarray, "example edge"],
    templates: tuple[str, ...],
    kept: Bool[np.ndarray, " edge"],
) -> pd.DataFrame:
    """What the standard error of an edge's score would be with other numbers of prompts.

    Columns templates, prompts_per_template, prompts, se, sentence; median over kept edges.
    Empty where templates or prompts within them cannot tell the two components apart.
    """
    number = len(set(use_templates(templates) or ()))
    columns = ["templates", "prompts_per_template", "prompts", "se", "sentence"]
    if number in (0, len(templates)) or not kept.any():
        return pd.DataFrame(columns=columns)
    between, within = within_between(values[:, kept], templates)[0].values
    each = max(1, round(len(templates) / number))
    designs = [(number, each), (number, 2 * each), (2 * number, each), (4 * number, each)]
    if each >= 4:
        designs.append((4 * number, each // 4))
    frame = decision_table(between, within, designs=designs)
    frame["sentence"] = [
        f"with {row['templates']} templates x {row['prompts_per_template']} prompts the SE would "
        f"be {row['se']:.3g}"
        for row in frame.to_dict(orient="records")
    ]
    return frame


def chance_bounds(axes: tuple[Axis, ...], size: int, *, pairs: int) -> pd.DataFrame:
    """Edges kept in at least a share of halves of the prompts, and how many may be chance.

    At most so many of them are selected no more often than a random edge (Shah and Samworth 2013):
    threshold, kept, worst_case, unimodal, r_concave.
    """
    halves = {axis.key: axis for axis in axes}.get("halves-prompt")
    columns = ["threshold", "kept", "worst_case", "unimodal", "r_concave"]
    if halves is None or size >= len(halves.inclusion):
        return pd.DataFrame(columns=columns)
    n_edges = len(halves.inclusion)
    rows = [
        (
            tau,
            int((halves.inclusion >= tau).sum()),
            worst_case(tau, size, n_edges),
            unimodal(tau, size, n_edges, pairs=pairs),
            r_concave(tau, size, n_edges, pairs=pairs),
        )
        for tau in THRESHOLDS
    ]
    return pd.DataFrame(rows, columns=columns)


def certificate_table(
    values: Float[np.ndarray, "example edge"], settings: Settings, size: int
) -> pd.DataFrame:
    """Edges whose vote no edit of so many prompts can change, jointly at the audit's confidence.

    Columns p_delete, replicates, inside, outside, abstained, radius (median over certified edges
    of the circuit), largest_radius. Edges are chosen as the audit chooses them.
    """
    rows = []
    for p_delete in DELETED:
        if len(values) * (1 - p_delete) < 2:
            continue
        found = certified_circuit(
            values,
            rng=stream(settings.seed, "certificates", str(p_delete)),
            size=size,
            signed=settings.signed,
            p_delete=p_delete,
            replicates=REPLICATES,
            alpha=1 - settings.confidence,
        )
        inside = found.radius[found.inside]
        rows.append(
            (
                p_delete,
                REPLICATES,
                int(found.inside.sum()),
                int(found.outside.sum()),
                found.abstention,
                float(np.median(inside)) if len(inside) else np.nan,
                int(inside.max()) if len(inside) else -1,
            )
        )
    columns = ["p_delete", "replicates", "inside", "outside", "abstained", "radius"]
    return pd.DataFrame(rows, columns=[*columns, "largest_radius"])
