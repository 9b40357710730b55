"""The rows behind each paper layout: runs on disk -> one tidy, unrounded frame."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from circuitvar.reports.run_folder import Run
from circuitvar.reports.tables import fact, inclusion_column

ERROR, KL = "circuit error", "KL to the full model"
SPEARMAN = "rank correlation with exact"
TOP_EDGES = 50
"""Edges per run in the appendix table; the CSV of the run has them all."""


def headline(run: Run, name: str, key: str) -> dict[str, float]:
    """One estimate of a card as the columns `key, key_se, key_low, key_high`."""
    entry = run.estimate(name)
    parts = {"": "value", "_se": "se", "_low": "low", "_high": "high"}
    numbers = {f"{key}{end}": entry[part] for end, part in parts.items()}
    return {name: np.nan if value is None else float(value) for name, value in numbers.items()}


def _labelled(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the run's labels in front; columns of the same name are replaced."""
    rest = frame.drop(columns=[name for name in run.labels if name in frame])
    labels = pd.DataFrame({key: [value] * len(rest) for key, value in run.labels.items()})
    return pd.concat([labels, rest.reset_index(drop=True)], axis=1)


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def stability_rows(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run and perturbation, with the faithfulness of the audited circuit."""
    rows = []
    for run in runs:
        frame = _labelled(run, run.frame("stability"))
        rows.append(frame.assign(**headline(run, "faithfulness", "faithfulness")))
    return _joined(rows)


def perturbation_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Stability rows with circuit error and KL, per perturbation where `tables/runs.csv` has them.

    `runs.csv` holds one row per discovered circuit: axis, circuit_error, kl.
    """
    rows = []
    for run in runs:
        for row in _labelled(run, run.frame("stability")).to_dict("records"):
            row |= headline(run, ERROR, "circuit_error") | headline(run, KL, "kl")
            rows.append(row | _over_runs(run, row["axis"]))
    return pd.DataFrame(rows)


def _over_runs(run: Run, axis: str) -> dict[str, float]:
    """Mean, SE, t-free spread and CV of circuit error and KL over the circuits of one axis."""
    table = run.frames.get("runs")
    part = None if table is None else table[table["axis"] == axis]
    if part is None or len(part) < 2:
        return {}
    found: dict[str, float] = {}
    for key in ("circuit_error", "kl"):
        if key in part:
            values = np.asarray(part[key], dtype=float)
            mean, spread = float(values.mean()), float(values.std(ddof=1))
            found |= {key: mean, f"{key}_se": spread / np.sqrt(len(part))}
            found |= {f"{key}_cv": spread / mean if mean else np.nan}
            found |= {f"{key}_low": np.nan, f"{key}_high": np.nan}
    return found


def method_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run: size, error, KL, agreement with the median circuit and with exact."""
    rows = []
    for run in runs:
        kept = _kept(run)
        group = [_kept(other) for other in runs if _same_question(run, other)]
        median = _median_circuit(group)
        shared, union = len(kept & median), len(kept | median)
        provenance = run.card["provenance"]
        rows.append(
            {
                **run.labels,
                "rule": fact(provenance, "rule") or "",
                "steps": fact(provenance, "steps"),
                "size": len(kept),
                **headline(run, ERROR, "circuit_error"),
                **headline(run, KL, "kl"),
                "jaccard_to_median": shared / union if union else np.nan,
                "overlap_to_median": _share(shared, min(len(kept), len(median))),
                **headline(run, SPEARMAN, "spearman"),
            }
        )
    return pd.DataFrame(rows)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else np.nan


def _kept(run: Run) -> frozenset[str]:
    edges = run.frame("edges")
    return frozenset(edges.loc[edges["in_circuit"].astype(bool), "edge"].astype(str))


def _same_question(a: Run, b: Run) -> bool:
    keys = ("model", "task")
    return [a.labels.get(key) for key in keys] == [b.labels.get(key) for key in keys]


def _median_circuit(circuits: Sequence[frozenset[str]]) -> frozenset[str]:
    """Edges kept by at least half of the circuits: the set of least total distance to them."""
    counts: dict[str, int] = {}
    for circuit in circuits:
        for edge in circuit:
            counts[edge] = counts.get(edge, 0) + 1
    return frozenset(edge for edge, count in counts.items() if 2 * count >= len(circuits))


def edge_group_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Medians of per-edge numbers, one row per run and class of edge."""
    rows = []
    for run in runs:
        edges = run.frame("edges")
        groups = {"all": edges, **dict(list(edges.groupby("class", sort=False)))}
        for name in ("core", "contingent", "noise", "all"):
            if name in groups:
                rows.append({**run.labels, "group": name, **_edge_summary(groups[name])})
    return pd.DataFrame(rows)


def _edge_summary(edges: pd.DataFrame) -> dict[str, float]:
    columns = ("score", "se", "snr", "sign_consistency")
    score, se, snr, consistent = (edges[name].to_numpy(dtype=float) for name in columns)
    size = np.abs(score)
    cv = np.divide(se, size, out=np.full(size.shape, np.nan), where=size > 0)
    parts = {
        "mean": size,
        "sd": se,
        "cv": cv,
        "snr": np.abs(snr),
        "sign_flips": 1 - consistent,
        "variance": se**2,
    }
    if "exact" in edges:
        parts["bias_squared"] = (score - edges["exact"].to_numpy(dtype=float)) ** 2
    known = {name: values[np.isfinite(values)] for name, values in parts.items()}
    medians = {name: float(np.median(v)) if v.size else np.nan for name, v in known.items()}
    return {"edges": float(len(edges)), **medians}


def noise_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Rows of every `tables/noise.csv`: amplitude, jaccard, circuit_error."""
    return _joined([_labelled(run, run.frames["noise"]) for run in runs if "noise" in run.frames])


def variance_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Rows of every variance ledger."""
    found = [run for run in runs if "ledger" in run.frames]
    frames = [run.frames["ledger"].rename(columns={"source": "component"}) for run in found]
    return _joined([_labelled(run, frame) for run, frame in zip(found, frames, strict=True)])


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
        kept = edges.iloc[order].assign(inclusion=inclusion[order])
        rows.append(_labelled(run, kept))
    return _joined(rows)
