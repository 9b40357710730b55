"""Is what was found more than noise would give, and do all prompts use the same circuit?

Three cheap looks at the score matrix: a bound on chance edges among the stable ones, agreement of
halves against null data, and clusters of prompts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.edges import (
    SIGNAL_DESTROYING,
    PromptClusters,
    adjusted_rand,
    cluster_prompts,
    compare_with_null,
    structure_preserving,
)
from circuitvar.audit.resampling import complementary_halves
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.sample_tables import chance_bounds
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis, Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.types import EdgeScores
from circuitvar.tasks.units import Clusters, use_templates

THRESHOLD = 0.9
"""Share of halves that a stable edge is kept in."""
DRAWS = 39
"""Null data sets: the smallest p-value is 1/40."""
PAIRS = 10
"""Complementary halves per null data set."""
CLUSTERED = 1000
"""Prompts that are clustered at most: the hierarchy grows with their square."""


@dataclass(frozen=True, eq=False)
class Checks:
    """Estimates and tables of `structure_checks`."""

    estimates: tuple[Estimate, ...]
    tables: dict[str, pd.DataFrame]


def structure_checks(
    scores: EdgeScores, axes: tuple[Axis, ...], settings: Settings, size: int
) -> Checks:
    """Stability-selection bound, null comparison (`nulls`) and clusters (`prompt_clusters`)."""
    nulls = null_table(scores.values, settings, size, templates=scores.templates)
    rows = np.arange(min(len(scores.values), CLUSTERED))
    templates = tuple(scores.templates[i] for i in rows)
    found = cluster_prompts(scores.values[rows], rng=stream(settings.seed, "prompt clusters"))
    frame = pd.DataFrame({"example": rows, "template": templates, "cluster": found.labels})
    bound = chance_edges(axes, size, pairs=settings.pairs)
    return Checks(
        estimates=(*([] if bound is None else [bound]), *_cluster_estimates(found, templates)),
        tables={"nulls": nulls, "prompt_clusters": frame},
    )


KEEPS_NOISE = "keeps noise, removes effects"
"""Kind of the nulls that are the ones to beat."""


def chance_edges(axes: tuple[Axis, ...], size: int, *, pairs: int) -> Estimate | None:
    """At most so many of the edges kept in at least 90% of halves are low-probability edges.

    Shah and Samworth 2013 (arXiv 1105.5578), r-concave bound, from halves of the prompts. None
    without such halves or with a circuit of the whole graph.
    """
    bounds = chance_bounds(axes, size, pairs=pairs).set_index("threshold")
    if bounds.empty:
        return None
    kept, bound = (bounds[column].loc[THRESHOLD].item() for column in ("kept", "r_concave"))
    return Estimate(
        "chance edges among the stable ones, at most",
        bound,
        n=kept,
        unit="edge",
        interval="none: an upper bound",
        missing="no interval: an upper bound",
        estimand=f"expected number, among the {kept} edges kept in at least {THRESHOLD:.0%} of "
        "halves, of edges that are selected no more often than a random edge",
    )


def null_table(
    values: Float[np.ndarray, "example edge"],
    settings: Settings,
    size: int,
    *,
    templates: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Columns null, kind, observed, expected, margin, p: agreement of halves against null data.

    The null that keeps every edge's noise and removes only the effects is the one to beat. Where
    templates are the sampling unit they stay together: prompts of one template may agree on edges
    that have no effect in another. Data and null data are cut in the same halves.
    """
    clusters = use_templates(templates)

    def agreement(scores: np.ndarray, rng: np.random.Generator) -> float:
        same = stream(settings.seed, "null", "halves")
        return halves_kuncheva(
            scores, size=size, rng=same, signed=settings.signed, clusters=clusters
        )

    rows = []
    for kind, nulls in (
        (KEEPS_NOISE, structure_preserving(clusters)),
        ("destroys structure", SIGNAL_DESTROYING),
    ):
        for name, null in nulls if size < values.shape[1] else ():
            rng = stream(settings.seed, "null", name)
            found = compare_with_null(values, agreement, null, draws=DRAWS, rng=rng)
            expected = float(found.null.mean())
            rows.append((name, kind, found.observed, expected, found.margin, found.p_value))
    columns = ["null", "kind", "observed", "expected", "margin", "p"]
    return pd.DataFrame(rows, columns=columns)


def halves_kuncheva(
    scores: Float[np.ndarray, "example edge"],
    *,
    size: int,
    rng: np.random.Generator,
    pairs: int = PAIRS,
    signed: bool = False,
    clusters: Clusters = None,
) -> float:
    """Mean over complementary halves of (overlap/k - k/E) / (1 - k/E).

    Nogueira's phi of two sets of one size (Kuncheva 2007). 1 = the same edges, 0 = as random sets.

    >>> scores = np.tile([3.0, 2.0, 0.0, 0.0, 0.0], (8, 1))
    >>> halves_kuncheva(scores, size=2, rng=np.random.default_rng(0))
    1.0
    """
    weights = complementary_halves(len(scores), pairs, rng=rng, clusters=clusters).weights
    masks = top_n_masks(weights.astype(scores.dtype) @ scores, size, signed=signed)
    overlap = (masks[0::2] & masks[1::2]).sum(axis=1).mean() / size
    chance = size / scores.shape[1]
    return float((overlap - chance) / (1 - chance))


def _cluster_estimates(found: PromptClusters, templates: tuple[str, ...]) -> tuple[Estimate, ...]:
    """How many kinds of prompt there are, and whether they are the templates."""
    number = Estimate(
        "prompt clusters",
        float(found.number),
        n=len(found.labels),
        interval="none: a test of one cluster against more",
        unit="prompt",
        missing="no interval: a test of one cluster against more",
        estimand=f"groups of prompts whose scores differ in direction (p = {found.p_value:.3f})",
    )
    if found.number == 1:
        return (number,)
    agreement = Estimate(
        "prompt clusters against templates",
        adjusted_rand(found.labels, templates),
        n=len(found.labels),
        interval="none",
        unit="prompt",
        missing="no interval",
        estimand="adjusted Rand index: 1 when the clusters are the templates, 0 by chance",
    )
    return number, agreement
