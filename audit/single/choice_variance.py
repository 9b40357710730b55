"""Layer L4: how much each analytic choice moves scores, edge sets and faithfulness.

What was scored is seldom one full grid (not every method is defined for every ablation), so the
full grids inside it are decomposed exactly, interactions included, and all of it once more by the
moment estimator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.runs import Runs
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.discovered import specifications, specified_runs
from circuitvar.audit.variance import (
    FunctionalAnova,
    Part,
    cross,
    functional_anova,
    moment_components,
)

EXACT = "functional ANOVA of a full grid"
MOMENTS = "moment estimator"


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination of analytic choices with what it gave."""

    levels: Mapping[str, object]
    value: Float[np.ndarray, " edge"]


def score_cells(runs: Runs) -> tuple[Cell, ...]:
    """Mean scores of every specification whose method scores in metric units."""
    return tuple(
        Cell(
            {"method": run.method.key, "ablation": run.ablation, "corruption": run.corruption},
            run.mean,
        )
        for run in specified_runs(runs)
        if run.method.unit != "native"
    )


def full_grids(cells: Sequence[Cell]) -> dict[str, tuple[Cell, ...]]:
    """The full grids among the cells by name; the first cell is the audited specification.

    `method`, `ablation`, `corruption`: cells that differ in it alone; `method x ablation`: the
    largest grid of at least two methods and two ablations.
    """
    own, out = cells[0].levels, {}
    names = ("method", "ablation", "corruption")
    for name in names:
        same = [c for c in cells if all(c.levels[o] == own[o] for o in names if o != name)]
        if len({c.levels[name] for c in same}) > 1:
            out[name] = tuple(same)
    block = [c for c in cells if c.levels["corruption"] == own["corruption"]]
    defined: dict[object, set[object]] = {}
    for c in block:
        defined.setdefault(c.levels["method"], set()).add(c.levels["ablation"])
    if "ablation" not in out:
        most = max(defined, key=lambda method: len(defined[method]))
        if len(defined[most]) > 1:
            out["ablation"] = tuple(c for c in block if c.levels["method"] == most)
    best: tuple[Cell, ...] = ()
    for wanted in defined.values():
        methods = {m for m, found in defined.items() if found >= wanted}
        grid = tuple(
            c for c in block if c.levels["method"] in methods and c.levels["ablation"] in wanted
        )
        if len(methods) > 1 and len(wanted) > 1 and len(grid) > len(best):
            best = grid
    return {**out, "method x ablation": best} if best else out


def decompose(cells: Sequence[Cell]) -> FunctionalAnova | None:
    """Exact functional ANOVA over the factors that vary; None where cells are missing."""
    factors = _varying(cells)
    codes = [cross([c.levels[name] for c in cells]) for name in factors]
    shape = tuple(int(code.max()) + 1 for code in codes)
    if not factors or int(np.prod(shape)) != len(cells) or len(set(zip(*codes))) != len(cells):  # noqa: B905
        return None
    grid = np.empty((*shape, len(cells[0].value)))
    grid[tuple(codes)] = np.stack([c.value for c in cells])
    return functional_anova(grid, factors)


def _varying(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(n for n in cells[0].levels if len({c.levels[n] for c in cells}) > 1)


def choice_parts(runs: Runs) -> list[Part]:
    """Lines of layer L4: one per choice, and the interaction of method and ablation.

    The interaction is there where a full grid has it. Levels are fixed, so the lines have no
    interval. A grid without the audited method says whose it is.
    """
    parts, cells = [], score_cells(runs)
    if not cells or cells[0].levels["method"] != runs.audited.method.key:
        return parts
    for name, grid in full_grids(cells).items():
        found = decompose(grid)
        if found is None:
            continue
        for effect, variance in found.variance.items():
            if " x ".join(effect) == name:
                source = f"{SOURCES[name]}{scored_with(grid, runs.audited.method.key)}"
                parts.append(Part("L4", source, variance, why="fixed levels"))
    return parts


def scored_with(grid: Sequence[Cell], audited: str) -> str:
    """`, scored with eap` for a grid that the audited method is not in; else empty.

    The audited method may be defined for one ablation only: another one's grid then stands in.
    """
    methods = list(dict.fromkeys(str(cell.levels["method"]) for cell in grid))
    return "" if audited in methods else f", scored with {' and '.join(methods)}"


SOURCES = {
    "method": "choice of method",
    "ablation": "choice of ablation",
    "corruption": "choice of corruption",
    "method x ablation": "method x ablation",
}


def choices_table(
    runs: Runs, settings: Settings, size: int, evaluated: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Columns response, over, cells, effect, variance, share, total_share, negative, how.

    Responses: `score` (metric units, summed over edges), `membership` (edge kept or not, sizes
    half, once and twice crossed in) and `faithfulness` of the circuit, from `evaluated`, the table
    of specifications. `total_share`: share of all effects that hold the choice. Noise amplitudes
    count as corruptions. Shares of one response over one grid sum to 1. `over` names the methods
    of a grid without the audited one. `negative`: the moment estimate is below 0.
    """
    responses = {"score": score_cells(runs)}
    found = specifications(runs, settings, size)
    levels = [
        {"method": s.method, "ablation": s.ablation, "corruption": s.corruption, "size": s.size}
        for s in found
    ]
    responses["membership"] = tuple(
        Cell(at, s.kept.astype(np.float64)) for at, s in zip(levels, found, strict=True)
    )
    if evaluated is not None and len(evaluated) == len(found):
        values = evaluated["value"].to_numpy(dtype=np.float64)
        if np.isfinite(values).all():
            responses["faithfulness"] = tuple(
                Cell(at, np.array([value])) for at, value in zip(levels, values, strict=True)
            )
    rows: list[dict[str, object]] = []
    for response, cells in responses.items():
        if len(cells) < 2:
            continue
        for name, grid in full_grids(cells).items():
            anova = decompose(grid)
            if anova is not None:
                over = name if response == "score" else f"{name} x size"
                over += scored_with(grid, runs.audited.method.key)
                at = {"response": response, "over": over, "cells": len(grid)}
                rows += [at | row | {"negative": False, "how": EXACT} for row in anova.rows()]
        rows += _moment_rows(response, cells)
    columns = ["response", "over", "cells", "effect", "variance", "share", "total_share"]
    return pd.DataFrame(rows, columns=[*columns, "negative", "how"])


def _moment_rows(response: str, cells: Sequence[Cell]):
    """Main effects over everything that was scored; empty where they cannot be told apart."""
    factors = {name: [c.levels[name] for c in cells] for name in _varying(cells)}
    if len(factors) < 2:
        return
    try:
        found = moment_components(np.stack([c.value for c in cells]), factors)
    except ValueError:  # Confounded: the grids above are all that can be said.
        return
    summed = found.values.sum(axis=1)
    total = float(summed.sum())
    for name, variance in zip(found.names, summed, strict=True):
        yield {
            "response": response,
            "over": "everything scored",
            "cells": len(cells),
            "effect": "interactions and rest" if name == "residual" else name,
            "variance": float(variance),
            "share": float(variance) / total if total else np.nan,
            "total_share": np.nan,
            "negative": bool(variance < 0),
            "how": MOMENTS,
        }
