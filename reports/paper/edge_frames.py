"""The rows of the paper layouts that are about edges: classes of edges, and single edges."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from circuitvar.circuits.intervals import clopper_pearson
from circuitvar.reports.card import Run
from circuitvar.reports.paper.frames import joined, labelled
from circuitvar.reports.paper.scores import edge_details, prompt_spread
from circuitvar.reports.tables import inclusion_column

TOP_EDGES = 50
"""Edges per run in the appendix table; the CSV of the run has them all."""
_END = re.compile(r"(a|m|input|logits)(\d+)?(?:\.h\d+)?(?:<([qkv])>)?\Z")
_KINDS = {"a": "head", "m": "MLP", "input": "input", "logits": "logits"}


def edge_group_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Medians of per-edge numbers by class of edge, for the run's method and exact patching.

    For all edges together also every other method that the run compared.
    """
    rows = []
    for run in runs:
        edges = run.frame("edges")
        edges = edges.assign(**prompt_spread(run, len(edges)))
        found = {run.labels.get("method", ""): edges}
        if "exact" in edges:
            found["exact"] = _exact_numbers(run, edges)
        compared = run.frames.get("methods", pd.DataFrame(columns=["method"]))
        for method, numbers in found.items():
            for name in ("core", "contingent", "noise", "all"):
                here = np.asarray(numbers["class"] == name) | (name == "all")
                if here.any():
                    row = {**run.labels, "method": method, "group": name}
                    split = _split(compared, method) if name == "all" else {}
                    rows.append({**row, **_medians(numbers.loc[here]), **split})
        for method in compared["method"]:
            if method not in found:
                row = {**run.labels, "method": method, "group": "all", "edges": float(len(edges))}
                rows.append({**row, **_split(compared, method)})
    return pd.DataFrame(rows)


def _exact_numbers(run: Run, edges: pd.DataFrame) -> pd.DataFrame:
    """Exact effects in the columns of scores; their SD from the standard error of their mean."""
    settings = run.card["provenance"].get("settings", {})
    compared = run.frames.get("methods")
    n = int(compared["n"].iloc[0]) if compared is not None else settings.get("exact", 0)
    score, nan = edges["exact"].to_numpy(dtype=float), np.full(len(edges), np.nan)
    se = edges["exact_se"].to_numpy(dtype=float) if "exact_se" in edges else nan
    sd = se * np.sqrt(n) if n else nan
    size = np.abs(score)
    with np.errstate(divide="ignore", invalid="ignore"):
        cv, snr = np.where(size >= 2 * se, sd / size, np.nan), size / sd
    return pd.DataFrame(
        {"score": score, "sd": sd, "cv": cv, "snr_single": snr, "sign_flips": nan}
    ).assign(**{"class": edges["class"].to_numpy(), "se": se})


def _medians(edges: pd.DataFrame) -> dict[str, float]:
    parts = {
        "mean": np.abs(edges["score"].to_numpy(dtype=float)),
        "snr": edges["snr_single"].to_numpy(dtype=float),
        **{name: edges[name].to_numpy(dtype=float) for name in ("sd", "cv", "se", "sign_flips")},
    }
    known = {name: values[np.isfinite(values)] for name, values in parts.items()}
    medians = {name: float(np.median(v)) if v.size else np.nan for name, v in known.items()}
    return {"edges": float(len(edges)), **medians}


def _split(compared: pd.DataFrame, method: str) -> dict[str, float]:
    """Bias² and noise variance of a method against exact patching: means over all edges."""
    part = compared[compared["method"] == method]
    if part.empty or "bias_rms" not in part:
        return {}
    return {
        "bias_squared": float(np.asarray(part["bias_rms"])[0]) ** 2,
        "noise_variance": float(np.asarray(part["noise_sd"])[0]) ** 2,
    }


def edge_frame(runs: Sequence[Run], *, top: int = TOP_EDGES) -> pd.DataFrame:
    """The edges kept most often, at most `top` per run, ties by |score|."""
    rows = []
    for run in runs:
        edges = run.frame("edges")
        column = inclusion_column(edges)
        inclusion = edges[column] if column else edges["in_circuit"].astype(float)
        inclusion = np.asarray(inclusion, dtype=float)
        order = np.lexsort((-edges["score"].abs().to_numpy(), -inclusion))
        order = order[inclusion[order] > 0][:top]
        kept = edges.iloc[order].reset_index(drop=True).assign(inclusion=inclusion[order])
        kept = kept.assign(**_ends(kept), **_inclusion_interval(run, column, inclusion[order]))
        rows.append(labelled(run, pd.concat([kept, edge_details(run, order)], axis=1)))
    return joined(rows)


def _ends(edges: pd.DataFrame) -> dict[str, list[str]]:
    """Type (kinds of the two ends) and layers of each edge, from its name."""
    types, layers = [], []
    for name in edges["edge"].astype(str):
        ends = [_END.match(end) for end in name.split("->")]
        kinds = [f"{_KINDS[m[1]]} {m[3] or ''}".strip() if m else "?" for m in ends]
        types.append(" to ".join(kinds))
        layers.append(" to ".join(m[2] if m and m[2] else "-" for m in ends))
    return {"type": types, "layers": layers}


def _inclusion_interval(
    run: Run, column: str | None, inclusion: np.ndarray
) -> dict[str, np.ndarray]:
    """Clopper-Pearson interval of the inclusion frequencies over the runs of their axis."""
    key = (column or "").removeprefix("inclusion_")
    axis = next((entry for entry in run.card["axes"] if entry["key"] == key), None)
    if axis is None:
        return {}
    counts = np.rint(inclusion * axis["runs"]).astype(np.int64)
    low, high = clopper_pearson(counts, axis["runs"])
    return {"inclusion_low": low, "inclusion_high": high}
