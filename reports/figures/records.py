"""Every figure of a report, in reading order: which frame it needs, what it shows, its caption.

`FIGURES` is an explicit tuple and an argument, so a user can pass fewer, more or other figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.types import Audit
from circuitvar.reports.figures.edges import exact_scatter, prompt_influence, snr_scatter
from circuitvar.reports.figures.numbers import (
    Marks,
    cross_axes_numbers,
    cross_numbers,
    exact_numbers,
    forest_numbers,
    inclusion_numbers,
    influence_numbers,
    ledger_numbers,
    sample_size_numbers,
    similarity_numbers,
    size_numbers,
    snr_numbers,
    specification_numbers,
)
from circuitvar.reports.figures.stability import (
    forest_plot,
    inclusion_curve,
    sample_size_curve,
    similarity_heat_map,
    size_curve,
)
from circuitvar.reports.figures.variance import (
    cross_faithfulness_matrix,
    cross_faithfulness_panels,
    ledger_bars,
    specification_curve,
)
from circuitvar.reports.tables import inclusion_frame, ledger_frame, show_estimate, stability_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FigureRecord:
    """One figure: where its frame comes from and how a reader should read it."""

    key: str
    """File name without suffix."""
    title: str
    caption: str
    frame: Callable[[Audit], pd.DataFrame | None]
    """None (or an empty frame) where the audit has nothing to show."""
    draw: Callable[[pd.DataFrame, Audit], "Figure"]
    numbers: Callable[[pd.DataFrame], Marks] | None = None
    """What the page shows on pointing at the figure; None leaves it still."""


def table(name: str) -> Callable[[Audit], pd.DataFrame | None]:
    """Reader of one named table of the audit."""
    return lambda audit: audit.tables.get(name)


def _edges_with_exact(audit: Audit) -> pd.DataFrame | None:
    edges = audit.edges
    if "exact" not in edges:
        return None
    known = np.isfinite(edges["exact"].to_numpy(dtype=float))
    return edges if known.sum() >= 2 else None


def _edges_with_snr(audit: Audit) -> pd.DataFrame | None:
    return audit.edges if {"score", "snr"} <= set(audit.edges.columns) else None


def rank_correlation_note(audit: Audit) -> str:
    """The audit's rank correlation with exact patching, as printed in the scatter; may be empty."""
    for estimate in audit.estimates:
        name = estimate.name.lower().replace("_", " ").replace("-", " ")
        if "rank correlation" in name or "spearman" in name:
            return f"Spearman {show_estimate(estimate)}"
    return ""


FIGURES: tuple[FigureRecord, ...] = (
    FigureRecord(
        "forest",
        "Agreement by perturbation",
        "φ (circle, with its interval) is agreement beyond chance between circuits found under one "
        "perturbation; the diamond is the mean pairwise Jaccard, the bar the Jaccard that random "
        "circuits of the same sizes would reach.",
        stability_frame,
        lambda frame, audit: forest_plot(frame),
        forest_numbers,
    ),
    FigureRecord(
        "inclusion",
        "How often each edge is kept",
        "Edges sorted by the share of runs that keep them. A clean circuit is a step; a slope "
        "means the boundary of the circuit is decided by the sample.",
        inclusion_frame,
        lambda frame, audit: inclusion_curve(frame),
        inclusion_numbers,
    ),
    FigureRecord(
        "size",
        "Agreement by circuit size",
        "Jaccard rises with circuit size for random circuits too (dotted); φ removes that.",
        table("phi_by_k"),
        lambda frame, audit: size_curve(frame),
        size_numbers,
    ),
    FigureRecord(
        "prompts",
        "Agreement by number of prompts",
        "Forecast of φ between circuits found on n fresh prompts each, with the observed disjoint "
        "blocks that check it.",
        table("forecast"),
        lambda frame, audit: sample_size_curve(frame),
        sample_size_numbers,
    ),
    FigureRecord(
        "exact",
        "Approximate scores against exact patching",
        "Each point is an edge; both axes are damage in units of the metric, on a signed log "
        "scale. The dashed line is equality.",
        _edges_with_exact,
        lambda frame, audit: exact_scatter(frame, note=rank_correlation_note(audit)),
        exact_numbers,
    ),
    FigureRecord(
        "snr",
        "Signal-to-noise by size of the score",
        "Mean score over its standard error. Edges below the dashed line cannot be told from zero "
        "one at a time.",
        _edges_with_snr,
        lambda frame, audit: snr_scatter(frame),
        snr_numbers,
    ),
    FigureRecord(
        "ledger",
        "Where the variance comes from",
        "Shares of variance by source, from inputs (L0) to training seeds (L5). Negative estimates "
        "are shown as they are.",
        ledger_frame,
        lambda frame, audit: ledger_bars(frame),
        ledger_numbers,
    ),
    FigureRecord(
        "similarity",
        "Agreement between every two runs",
        "Pairwise Jaccard. Blocks along the diagonal are families of runs that find a circuit of "
        "their own.",
        table("similarity"),
        lambda frame, audit: similarity_heat_map(frame),
        similarity_numbers,
    ),
    FigureRecord(
        "specifications",
        "Outcome under every analytic choice",
        "Specification curve: each column is one combination of choices, marked below; its "
        "outcome is the circuit's faithfulness on held-out prompts, run as the audited circuit is.",
        table("specifications"),
        lambda frame, audit: specification_curve(frame, value_label="faithfulness"),
        specification_numbers,
    ),
    FigureRecord(
        "influence",
        "Prompts that move the result",
        "Approximate change of φ when one prompt is left out; the most influential prompts.",
        table("influence"),
        lambda frame, audit: prompt_influence(frame),
        influence_numbers,
    ),
    FigureRecord(
        "cross_faithfulness",
        "Does a circuit carry over?",
        "Faithfulness of the circuit found on one set of prompts (row), run on another (column).",
        table("cross_faithfulness"),
        lambda frame, audit: cross_faithfulness_matrix(frame),
        cross_numbers,
    ),
    FigureRecord(
        "cross_axes",
        "Does a circuit carry over to other choices?",
        "One panel per perturbation: faithfulness of every circuit (row) under the conditions the "
        "others were found under (column). Rows alike: the circuits do the same job, whatever "
        "edges they share.",
        table("cross_faithfulness_axes"),
        lambda frame, audit: cross_faithfulness_panels(frame),
        cross_axes_numbers,
    ),
)


def make_figures(
    audit: Audit, *, figures: Sequence[FigureRecord] = FIGURES
) -> "list[tuple[FigureRecord, Figure]]":
    """Draw every figure whose frame the audit has, in order."""
    made = []
    for record in figures:
        frame = record.frame(audit)
        if frame is not None and len(frame):
            made.append((record, record.draw(frame, audit)))
    return made
