"""From a circuit's name to a folder with the tests it must pass, their figures and sentences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.streams import stream
from circuitvar.circuits.evaluate import run_circuit_tests
from circuitvar.reports.circuits.opened import open_circuit, write_tables
from circuitvar.reports.figures import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    new_figure,
    paper_style,
    save_figure,
)
from circuitvar.reports.named import discovery_and_heldout
from circuitvar.reports.options import CircuitChoice, CircuitTestOptions, ModelChoice
from circuitvar.reports.page import SectionFigure, SectionTable, write_section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GOOD_IF_REJECTED = ("equivalence (TOST)", "sufficiency", "partial necessity")
"""Rejection speaks for the circuit; against it in the other tests."""
MOST_EDGES = 60
"""Edges in the figure of minimality; those nearest to redundancy."""


def run_tests(
    name: str,
    *,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: CircuitTestOptions = CircuitTestOptions(),
    out: Path,
) -> dict[str, pd.DataFrame]:
    """Test one circuit on held-out prompts; write `circuits_*.csv`, figures and a section.

    `circuits_tests.csv`: the five tests and TOST per null family, power on every row.
    `circuits_minimality.csv`: one row per edge.

    Raises
    ------
    ValueError
        A name or number a user can mend; nothing is written then.
    """
    opened = open_circuit(name, where, of, out, size=options.size, metric=options.metric)
    found = opened.found
    _, heldout = discovery_and_heldout(
        opened.task, opened.model, options.n, seed=options.seed, corruption=options.corruption
    )
    cautions = opened.cautions(heldout)
    frames, edges = [], pd.DataFrame()
    for family in options.families:
        result = run_circuit_tests(
            opened.model,
            found.circuit,
            heldout,
            metric=opened.metric,
            rng=stream(options.seed, "circuit tests"),
            choice=options.choice(family),
        )
        frame = result.frame
        frame.insert(1, "null_family", family)
        # Only these two depend on the family; the others are the same numbers again.
        depends = frame["test"].isin(("sufficiency", "partial necessity"))
        frames.append(frame if not frames else frame[depends])
        edges = result.minimality
    tests = pd.concat(frames, ignore_index=True)
    tables = {"tests": tests, "minimality": edges.sort_values("share", kind="stable")}
    write_tables(tables, out)
    shares = tests_figure(tests, options.epsilon, options.quantile)
    minimality = minimality_figure(tables["minimality"], options.quantile)
    save_figure(shares, out / "circuits_tests.svg")
    save_figure(minimality, out / "circuits_minimality.svg")
    write_tests_section(out, found.name, found.circuit.size, tables, cautions)
    return tables


def tests_figure(tests: pd.DataFrame, epsilon: float, quantile: float) -> "Figure":
    """Interval of every tested share, with the null hypothesis as a grey band."""
    rows = [row for row in tests.to_dict("records") if np.isfinite(row.get("low", np.nan))]
    with paper_style():
        figure, axes = new_figure(height=0.9 + 0.42 * len(rows))
        for y, row in enumerate(reversed(rows)):
            share, test = float(row["statistic"]), row["test"]
            band = (0.5 - epsilon, 0.5 + epsilon) if "equiv" in test else (0.0, quantile)
            axes.barh(y, band[1] - band[0], left=band[0], height=0.7, color=GREY, alpha=0.2)
            low, high = float(row["low"]), float(row["high"])
            axes.plot([low, high], [y, y], color=BLUE, linewidth=1.4)
            axes.plot(share, y, "o", color=BLUE, markersize=4)
        axes.set_yticks(
            range(len(rows)),
            [
                row["test"] + (f"\n({row['null_family']})" if "equiv" not in row["test"] else "")
                for row in reversed(rows)
            ],
        )
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(
            "equivalence: share of prompts where the circuit is higher\n"
            "others: share of random circuits beaten"
        )
    return figure


def minimality_figure(edges: pd.DataFrame, quantile: float) -> "Figure":
    """Per edge, the share of random added edges whose knock-out it beats, with its interval."""
    shown = edges.head(MOST_EDGES)
    with paper_style():
        figure, axes = new_figure(height=1.0 + 0.14 * len(shown))
        y = np.arange(len(shown))[::-1]
        colours = [VERMILION if redundant else BLUE for redundant in shown["redundant"]]
        low, high = shown["low"].to_numpy(dtype=float), shown["high"].to_numpy(dtype=float)
        axes.hlines(y, low, high, color=colours, linewidth=1.0)
        axes.scatter(shown["share"].to_numpy(dtype=float), y, c=colours, s=8, zorder=2)
        axes.axvline(quantile, color=INK, linewidth=0.6, linestyle=":")
        axes.set_yticks(y, list(shown["edge"]), fontsize=5)
        axes.set_ylim(-0.8, len(shown) - 0.2)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("share of random added edges that matter less")
    return figure


def tests_sentences(name: str, size: int, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Which tests the circuit passes, then every reading (with power where not rejected)."""
    rows = tables["tests"].to_dict("records")
    failed = [
        f"{row['test']} ({row['null_family']})"
        if "share of random" in str(row["null"])
        else str(row["test"])
        for row in rows
        if bool(row["rejected"]) != (row["test"] in GOOD_IF_REJECTED)
    ]
    outcome = f"does not pass: {', '.join(failed)}" if failed else "passes every test"
    verdict = f"{name} ({size} edges) {outcome}."
    readings = [
        str(row["reading"]).rstrip(".")
        + (f"; {row['note']}." if row["test"] in GOOD_IF_REJECTED[1:] else ".")
        for row in rows
    ]
    return [verdict, *readings]


def write_tests_section(
    out: Path,
    name: str,
    size: int,
    tables: Mapping[str, pd.DataFrame],
    cautions: Sequence[str] = (),
) -> Path:
    """`section.json` of kind `circuit-tests`; its tables and figures must be in `out`."""
    left_out = len(tables["minimality"]) - MOST_EDGES
    note = f" The {left_out} edges with the largest shares are not shown." * (left_out > 0)
    return write_section(
        out,
        kind="circuit-tests",
        title=f"Tests of {name}",
        summary=[*cautions, *tests_sentences(name, size, tables)],
        tables=[
            SectionTable("circuits_tests.csv", "Hypothesis tests (Shi et al. 2024) and TOST"),
            SectionTable("circuits_minimality.csv", "Minimality, edge by edge"),
        ],
        figures=[
            SectionFigure(
                "circuits_tests.svg", "Tested shares", "Intervals by inversion; grey: the null."
            ),
            SectionFigure(
                "circuits_minimality.svg", "Minimality", f"Red: redundant after Holm.{note}"
            ),
        ],
    )
