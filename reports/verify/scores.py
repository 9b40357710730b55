"""Recompute a card's numbers from what the run folder keeps: scores, held-out prompts, draws.

What needs the model again (exact effects, other seeds, fresh data) cannot be recomputed and is
only checked against the tables.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from circuitvar.audit.edges import edge_table
from circuitvar.audit.function import function_estimates
from circuitvar.audit.resampling import template_means, with_ties
from circuitvar.audit.settings import Settings
from circuitvar.audit.single import matrix_axes, structure_checks
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Audit, Axis, Estimate
from circuitvar.circuits.find import top_n
from circuitvar.circuits.scores import read_scores
from circuitvar.circuits.size import circuit_size
from circuitvar.circuits.types import EdgeScores, Faithfulness
from circuitvar.reports.card import (
    TOLERANCE,
    Check,
    axis_entry,
    edges_entry,
    estimate_entry,
    random_entry,
)
from circuitvar.tasks.units import use_templates

SCORES = "scores"
"""Folder of the per-example scores inside a report folder."""

SINCE_0_2 = ("kind", "unit", "missing")
"""Fields that estimates of older cards do not have."""
SINGLE = 1e-5
"""Tolerance of statistics of the held-out table, which were computed in single precision."""


def read_settings(card: Mapping[str, Any]) -> Settings:
    """The settings of an audit, from its card."""
    recorded = dict(card["provenance"].get("settings") or {})
    if "level" in recorded:  # Written before 0.2.
        recorded["confidence"] = recorded.pop("level")
    known = {field.name for field in fields(Settings)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in recorded.items()
        if name in known
    }
    return Settings(**values)


def score_checks(card: Mapping[str, Any], folder: Path) -> list[Check]:
    """Recompute what the stored scores give of the card and of `edges.csv`; nothing without."""
    if not (folder / SCORES / "scores.json").exists():
        return []
    settings, scores = read_settings(card), read_scores(folder / SCORES)
    size = circuit_size(scores.graph.n_edges, settings.size)
    axes = _axes(scores, settings, size)
    entries = {entry["key"]: {"tied": 0, **entry} for entry in card["axes"]}
    checks = [
        _check(f"scores: {axis.key}", differences(axis_entry(axis), entries[axis.key]))
        if axis.key in entries
        else Check(f"scores: {axis.key}", "the card has no such axis")
        for axis in axes
    ]
    found = structure_checks(scores, axes, settings, size).estimates
    checks.append(_check("scores: estimates", _estimate_differences(found, card)))
    return [*checks, _edges_check(card, folder, scores, axes, settings, size)]


def _axes(scores: EdgeScores, settings: Settings, size: int) -> tuple[Axis, ...]:
    """The axes that the score matrix gives by itself."""
    clusters, runs = use_templates(scores.templates), {}
    if clusters is not None:
        runs["paraphrase"] = template_means(scores.values, clusters)[0]
    return with_ties(
        matrix_axes(scores, settings, size).axes,
        scores.values,
        runs=runs,
        clusters=clusters,
        size=size,
        signed=settings.signed,
        seed=settings.seed,
    )


def heldout_checks(card: Mapping[str, Any], folder: Path) -> list[Check]:
    """What the circuit and random circuits do, recomputed from their tables where those exist."""
    checks, tables = [], folder / "tables"
    if (tables / "heldout.csv").exists():
        frame, labels = pd.read_csv(tables / "heldout.csv"), card["provenance"]
        numbers: dict[str, Any] = {
            **{name: frame[name].to_numpy(float) for name in ("circuit", "full", "empty", "kl")},
            **{name: frame[name].to_numpy(bool) for name in ("flipped", "correct")},
        }
        run = Faithfulness(
            **numbers,
            metric=str(labels.get("metric", "")),
            ablation=labels.get("ablation", "patching"),
            templates=tuple(frame["template"].fillna("").astype(str)),
        )
        found = function_estimates(run, level=read_settings(card).confidence)
        checks.append(_check("tables/heldout.csv", _estimate_differences(found, card, SINGLE)))
    if (tables / "random_circuits.csv").exists():
        frame = pd.read_csv(tables / "random_circuits.csv")
        audit = Audit("", (), (), pd.DataFrame(), tables={"random_circuits": frame})
        found = differences(random_entry(audit), card["random_circuits"])
        checks.append(_check("tables/random_circuits.csv", found))
    return checks


def differences(
    again: Any, written: Any, path: str = "", *, tolerance: float = TOLERANCE
) -> Iterator[str]:
    """Dotted paths at which two JSON values differ by more than the tolerance."""
    if isinstance(again, Mapping) and isinstance(written, Mapping):
        for key in sorted({*again, *written}):
            if key in SINCE_0_2 and key not in written:
                continue
            parts = again.get(key), written.get(key)
            yield from differences(*parts, f"{path}.{key}".lstrip("."), tolerance=tolerance)
    elif isinstance(again, list) and isinstance(written, list) and len(again) == len(written):
        for i, (one, other) in enumerate(zip(again, written, strict=True)):
            yield from differences(one, other, f"{path}.{i}", tolerance=tolerance)
    elif isinstance(again, (int, float)) and isinstance(written, (int, float)):
        if not math.isclose(again, written, rel_tol=tolerance, abs_tol=tolerance):
            yield path
    elif again != written:
        yield path


def _check(name: str, differing: Iterable[str]) -> Check:
    wrong = list(differing)
    shown = ", ".join(wrong[:8]) + (f" and {len(wrong) - 8} more" if len(wrong) > 8 else "")
    return Check(name, f"differs in {shown}" if wrong else "")


def _estimate_differences(
    found: tuple[Estimate, ...], card: Mapping[str, Any], tolerance: float = TOLERANCE
) -> list[str]:
    entries = {entry["name"]: entry for entry in card["estimates"]}
    wrong = []
    for estimate in found:
        if estimate.name in entries:
            pair = estimate_entry(estimate), entries[estimate.name]
            wrong += differences(*pair, estimate.name, tolerance=tolerance)
        else:
            wrong.append(estimate.name)
    return wrong


def _edges_check(
    card: Mapping[str, Any],
    folder: Path,
    scores: EdgeScores,
    axes: tuple[Axis, ...],
    settings: Settings,
    size: int,
) -> Check:
    circuit = top_n(scores.graph, scores.mean, size, signed=settings.signed)
    rng = stream(settings.seed, "max-T")
    again = edge_table(scores, circuit, axes, level=settings.confidence, rng=rng)
    audit = Audit("", axes, (), again)
    wrong = [f"edges.{path}" for path in differences(edges_entry(audit), card["edges"])]
    if (folder / "edges.csv").exists():
        frame = pd.read_csv(folder / "edges.csv")
        for name in again.columns:
            known = name in frame and len(frame) == len(again)
            if not known or not _equal(again[name], frame[name]):
                wrong.append(f"{name} of edges.csv")
    return _check("scores: edges", wrong)


def _equal(again: "pd.Series | pd.DataFrame", written: "pd.Series | pd.DataFrame") -> bool:
    if pd.api.types.is_numeric_dtype(again) and pd.api.types.is_numeric_dtype(written):
        pair = (column.to_numpy(dtype=float) for column in (again, written))
        return bool(np.isclose(*pair, rtol=1e-9, atol=1e-12, equal_nan=True).all())
    return again.astype(str).tolist() == written.astype(str).tolist()
