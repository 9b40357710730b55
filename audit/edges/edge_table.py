"""One row per edge: what it does, how sure that is, and how often it would be found again."""

import numpy as np
import pandas as pd

from circuitvar.audit.edges.edge_summary import edge_summary
from circuitvar.audit.edges.edge_tests import inner_outer, max_t
from circuitvar.audit.indices import classify
from circuitvar.audit.types import Axis
from circuitvar.circuits.types import Circuit, EdgeScores
from circuitvar.tasks.units import use_templates


def edge_table(
    scores: EdgeScores,
    circuit: Circuit,
    axes: tuple[Axis, ...],
    *,
    exact: EdgeScores | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """What is known of each edge, one row an edge.

    Columns edge, src, dst, score, se, snr, sign_consistency, rank, in_circuit, class, p_max_t,
    inner, outer, exact, exact_se, exact_sd, exact_snr, exact_sign_consistency, exact_cv,
    inclusion_<axis>.

    `score` is mean damage in metric units. `se` is over templates where there are enough of them,
    else over prompts. `class` comes from the first axis: core, contingent or noise. `p_max_t` is
    adjusted for all edges (step-down max-T); `inner` edges are surely, and edges that are not
    `outer` surely not, among the true largest `circuit.requested`, jointly at `level`. These three
    need `rng`. Exact effects (layer L0) have the spread over prompts, |mean| over it, and a CV only
    where |mean| >= 2 `exact_se`, which is over templates as `se` is.
    """
    graph = scores.graph
    clusters = use_templates(scores.templates)
    summary = edge_summary(scores.values, clusters=clusters)
    rank = np.empty(graph.n_edges, dtype=np.int64)
    rank[np.argsort(-np.abs(summary.mean), kind="stable")] = np.arange(1, graph.n_edges + 1)
    frame = pd.DataFrame(
        {
            "edge": graph.edge_names,
            "src": [edge.src.name for edge in graph.edges],
            "dst": [edge.dst.name for edge in graph.edges],
            "score": summary.mean,
            "se": summary.se,
            "snr": summary.snr,
            "sign_consistency": summary.sign_consistency,
            "rank": rank,
            "in_circuit": circuit.kept,
            "class": classify(axes[0].inclusion),
        }
    )
    if rng is not None:
        test = max_t(scores.values, summary, rng=rng, clusters=clusters, level=level)
        sets = inner_outer(summary.mean, summary.se, size=circuit.requested, critical=test.critical)
        frame = frame.assign(p_max_t=test.step_down, inner=sets.inner, outer=sets.outer)
    if exact is not None:
        frame["exact"] = exact.mean
        intrinsic = edge_summary(exact.values, clusters=use_templates(exact.templates))
        for column in ("se", "sd", "snr", "sign_consistency", "cv"):
            field = "snr_single" if column == "snr" else column
            frame[f"exact_{column}"] = getattr(intrinsic, field)
    for axis in axes:
        frame[f"inclusion_{axis.key}"] = axis.inclusion
    return frame
