"""Every figure of a report, in reading order: which frame it needs, what it shows, its caption.

`FIGURES` is an explicit tuple and an argument, so a user can pass fewer, more or other figures.
Titles and captions are in `captions.toml`.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.types import Audit
from circuitvar.reports.figures import edges, matrices, numbers, stability, variance
from circuitvar.reports.figures.numbers import Marks
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
    draw: "Callable[..., Figure]"
    """Takes the frame, and `note=` where there is one."""
    numbers: Callable[[pd.DataFrame], Marks] | None = None
    """What the page shows on pointing at the figure; None leaves it still."""
    note: Callable[[Audit], str] | None = None
    """What the audit says beside the frame."""


def table(name: str) -> Callable[[Audit], pd.DataFrame | None]:
    """Reader of one named table of the audit."""
    return lambda audit: audit.tables.get(name)


def _edges_with_exact(audit: Audit) -> pd.DataFrame | None:
    if "exact" not in audit.edges:
        return None
    known = np.isfinite(audit.edges["exact"].to_numpy(dtype=float))
    return audit.edges if known.sum() >= 2 else None


def _edges_with_snr(audit: Audit) -> pd.DataFrame | None:
    return audit.edges if {"score", "snr"} <= set(audit.edges.columns) else None


def rank_correlation_note(audit: Audit) -> str:
    """The audit's rank correlation with exact patching, as printed in the scatter; may be empty."""
    for estimate in audit.estimates:
        name = estimate.name.lower().replace("_", " ").replace("-", " ")
        if "rank correlation" in name or "spearman" in name:
            return f"Spearman {show_estimate(estimate)}"
    return ""


_CAPTIONS = tomllib.loads(Path(__file__).with_name("captions.toml").read_text("utf-8"))


def _figure(key: str, *parts, **more) -> FigureRecord:
    return FigureRecord(key, _CAPTIONS[key]["title"], _CAPTIONS[key]["caption"], *parts, **more)


FIGURES: tuple[FigureRecord, ...] = (
    _figure("forest", stability_frame, stability.forest_plot, numbers.forest_numbers),
    _figure("inclusion", inclusion_frame, stability.inclusion_curve, numbers.inclusion_numbers),
    _figure("size", table("phi_by_k"), stability.size_curve, numbers.size_numbers),
    _figure("prompts", table("forecast"), stability.sample_size_curve, numbers.sample_size_numbers),
    _figure(
        "exact",
        _edges_with_exact,
        edges.exact_scatter,
        numbers.exact_numbers,
        note=rank_correlation_note,
    ),
    _figure("snr", _edges_with_snr, edges.snr_scatter, numbers.snr_numbers),
    _figure("ledger", ledger_frame, variance.ledger_bars, numbers.ledger_numbers),
    _figure(
        "similarity", table("similarity"), matrices.similarity_heat_map, numbers.similarity_numbers
    ),
    _figure(
        "specifications",
        table("specifications"),
        partial(variance.specification_curve, value_label="faithfulness"),
        numbers.specification_numbers,
    ),
    _figure("influence", table("influence"), edges.prompt_influence, numbers.influence_numbers),
    _figure(
        "cross_faithfulness",
        table("cross_faithfulness"),
        matrices.cross_faithfulness_matrix,
        numbers.cross_numbers,
    ),
    _figure(
        "cross_axes",
        table("cross_faithfulness_axes"),
        matrices.cross_faithfulness_panels,
        numbers.cross_axes_numbers,
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
            more = {"note": record.note(audit)} if record.note else {}
            made.append((record, record.draw(frame, **more)))
    return made
