"""The rows behind each paper layout: runs on disk -> one tidy, unrounded frame."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from circuitvar.audit.indices import medoid, pairwise_jaccard
from circuitvar.circuits.evaluate import count_wins, tost_p
from circuitvar.reports.card import Run
from circuitvar.reports.paper.scores import decision_rows, rank_overlap
from circuitvar.reports.tables import fact

ERROR, KL = "circuit error", "KL to the full model"
SPEARMAN = "rank correlation with exact"
CHANCE_EDGES = "chance edges among the stable ones, at most"
MARGIN = 0.1
"""Of the equivalence test: P(circuit scores higher) within 1/2 ± this."""


def headline(run: Run, name: str, key: str) -> dict[str, float]:
    """One estimate of a card as the columns `key, key_se, key_low, key_high`."""
    entry = run.estimate(name)
    parts = {"": "value", "_se": "se", "_low": "low", "_high": "high"}
    numbers = {f"{key}{end}": entry[part] for end, part in parts.items()}
    return {name: np.nan if value is None else float(value) for name, value in numbers.items()}


def labelled(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the run's labels in front; columns of the same name are replaced."""
    rest = frame.drop(columns=list(run.labels), errors="ignore").reset_index(drop=True)
    return pd.concat([pd.DataFrame(run.labels, index=rest.index), rest], axis=1)


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all frames that have any."""
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def stability_rows(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run and perturbation, with what the run says about the audited circuit."""
    rows = []
    for run in runs:
        overlap, about = rank_overlap(run), _about_circuit(run)
        for row in labelled(run, run.frame("stability")).to_dict("records"):
            rows.append({**row, **about, "rbo": overlap.get(row["axis"], np.nan)})
    return pd.DataFrame(rows)


def _about_circuit(run: Run) -> dict[str, object]:
    """Rule, prompts, inner and outer edges, chance edges, signs, faithfulness, forecast."""
    edges = run.frame("edges")
    kept = edges["in_circuit"].astype(bool)
    found: dict[str, object] = {
        **_prompts(run),
        "rule": fact(run.card["provenance"], "rule") or "",
        **headline(run, "faithfulness", "faithfulness"),
        "chance_edges": headline(run, CHANCE_EDGES, "x")["x"],
        "sign_consistency": float(edges.loc[kept, "sign_consistency"].median()),
        "prompts_needed": prompts_needed(run.frames.get("forecast")),
        "equivalence_p": np.nan,
    }
    if {"inner", "outer"} <= set(edges.columns):
        found |= {name: int(edges[name].to_numpy(dtype=bool).sum()) for name in ("inner", "outer")}
    held = run.frames.get("heldout")
    if held is not None and len(held):
        wins, _ = count_wins(held["circuit"].to_numpy(float), held["full"].to_numpy(float))
        found["equivalence_p"] = tost_p(wins, len(held), MARGIN)
    return found


def prompts_needed(forecast: pd.DataFrame | None, *, target: float = 0.9) -> float:
    """Smallest n at which the forecast of phi reaches `target`.

    Between the points of the forecast phi is linear in log n. Infinity where it never reaches the
    target, NaN without a forecast.

    >>> frame = pd.DataFrame({"n": [10, 1000], "phi": [0.8, 1.0], "kind": "forecast"})
    >>> round(prompts_needed(frame))
    100
    """
    if forecast is None or forecast.empty:
        return float("nan")
    is_forecast = forecast["kind"].astype(str).str.startswith("forecast").to_numpy(dtype=bool)
    part = forecast.iloc[np.flatnonzero(is_forecast)].sort_values("n")
    n, phi = (part[name].to_numpy(dtype=float) for name in ("n", "phi"))
    reached = np.flatnonzero(phi >= target)
    if not len(n) or not len(reached):
        return float("inf") if len(n) else float("nan")
    at = int(reached[0])
    if at == 0:
        return float(n[0])
    share = (target - phi[at - 1]) / (phi[at] - phi[at - 1])
    return float(np.exp(np.log(n[at - 1]) + share * np.log(n[at] / n[at - 1])))


def perturbation_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Stability rows with circuit error and KL, per perturbation where `tables/runs.csv` has them.

    `runs.csv` holds one row per discovered circuit: axis, circuit_error, kl. The Jaccard at
    matched size is that of an axis whose circuits all have one size.
    """
    rows = []
    for run in runs:
        for row in labelled(run, run.frame("stability")).to_dict("records"):
            row |= headline(run, ERROR, "circuit_error") | headline(run, KL, "kl")
            one_size = row["size_min"] == row["size_max"]
            row |= _prompts(run) | {"jaccard_matched": row["jaccard"] if one_size else np.nan}
            rows.append(row | _over_runs(run, row["axis"]))
    return pd.DataFrame(rows)


def _prompts(run: Run) -> dict[str, object]:
    """Prompts and templates behind a run."""
    provenance = run.card["provenance"]
    return {"prompts": fact(provenance, "n_examples"), "templates": fact(provenance, "n_templates")}


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
    """One row per run: size, error, KL, agreement with the medoid and with exact."""
    rows = []
    for run in runs:
        kept = _kept(run)
        group = [_kept(other) for other in runs if _same_question(run, other)]
        middle = _medoid(group)
        shared, union = len(kept & middle), len(kept | middle)
        provenance = run.card["provenance"]
        rows.append(
            {
                **run.labels,
                "rule": fact(provenance, "rule") or "",
                "steps": fact(provenance, "steps"),
                "size": len(kept),
                **headline(run, ERROR, "circuit_error"),
                **headline(run, KL, "kl"),
                "jaccard_to_medoid": shared / union if union else np.nan,
                "overlap_to_medoid": _share(shared, min(len(kept), len(middle))),
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


def _medoid(circuits: Sequence[frozenset[str]]) -> frozenset[str]:
    """The circuit with the highest mean Jaccard to the others, the first of them on ties."""
    names = sorted(frozenset().union(*circuits))
    masks = np.array([[name in circuit for name in names] for circuit in circuits], dtype=bool)
    return circuits[medoid(pairwise_jaccard(masks))]


def noise_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Rows of every `tables/noise.csv`: amplitude, jaccard, circuit_error."""
    return joined([labelled(run, run.frames["noise"]) for run in runs if "noise" in run.frames])


def variance_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run and edge group: the share of every ledger line (`share: <source>`).

    With the total variance and, where scores are stored, the intraclass correlation and standard
    errors of other designs.
    """
    rows = []
    for run in runs:
        if "ledger" not in run.frames:
            continue
        ledger = run.frames["ledger"].rename(columns={"source": "component"})
        kind = run.frame("edges")["class"].to_numpy(dtype=str)
        groups = {name: kind == name for name in dict.fromkeys(kind)}
        groups["all edges"] = np.ones(len(kind), dtype=bool)
        designs = decision_rows(run, groups)
        for name, part in ledger.groupby("group", sort=False):
            row: dict[str, object] = {**run.labels, "group": name}
            for line in part.to_dict("records"):
                row[f"share: {line['layer']} {line['component']}"] = line["share"]
            row["variance"] = float(part["variance"].to_numpy(dtype=float).sum())
            rows.append(row | designs.get(str(name), {}))
    return pd.DataFrame(rows)
