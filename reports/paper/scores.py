"""What paper tables take from a run's stored scores: spread over prompts, intervals, rank overlap.

Each function gives nothing (an empty frame or dict) for a run that keeps no scores, so that a
table shows what is known and leaves the rest out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.stats import t as student
from scipy.stats import trim_mean

from circuitvar.audit.edges import certified_circuit, edge_summary, mean_se
from circuitvar.audit.indices import rbo
from circuitvar.audit.intervals import bca_means
from circuitvar.audit.resampling import bootstrap, complementary_halves
from circuitvar.audit.streams import stream
from circuitvar.audit.variance import moment_components
from circuitvar.circuits.multiplicity import false_discovery
from circuitvar.reports.card import Run
from circuitvar.reports.compare import Side, scored_side
from circuitvar.tasks.units import use_templates

BCA_REPLICATES, CERTIFICATE_REPLICATES, HALVES = 400, 300, 10
TRIMMED = 0.1
"""Share cut off at each end for the robust mean."""


def prompt_spread(run: Run, n_edges: int) -> dict[str, np.ndarray]:
    """Per edge over single prompts: sd, cv (NaN near zero), snr_single, sign_flips.

    NaN where there are no scores of these edges.
    """
    side = scored_side(run)
    if side is None or side.scores.values.shape[1] != n_edges:
        return {name: np.full(n_edges, np.nan) for name in ("sd", "cv", "snr_single", "sign_flips")}
    found = edge_summary(side.scores.values)
    numbers = {name: getattr(found, name) for name in ("sd", "cv", "snr_single")}
    return numbers | {"sign_flips": 1 - found.sign_consistency}


def edge_details(run: Run, rows: Int[np.ndarray, " edge"]) -> pd.DataFrame:
    """What the stored scores say about some edges.

    Columns: score_low and score_high (BCa), q (Benjamini-Hochberg over all edges), robust (10%
    trimmed mean), icc (share of single-prompt variance between templates), radius (certified
    edits).
    """
    side = scored_side(run)
    if side is None:
        return pd.DataFrame(index=range(len(rows)))
    values, clusters = side.scores.values, use_templates(side.scores.templates)
    rng = stream(side.settings.seed, "paper table")
    resamples = bootstrap(len(values), BCA_REPLICATES, rng=rng)
    low, high = bca_means(values[:, rows], resamples, level=side.settings.confidence)
    summary = edge_summary(values, clusters=clusters)
    p = 2 * student.sf(np.nan_to_num(summary.snr), max(summary.df, 1.0))
    found = {
        "score_low": low,
        "score_high": high,
        "q": false_discovery(np.clip(p, 0, 1))[rows],
        "robust": trim_mean(values[:, rows].astype(np.float64), TRIMMED, axis=0),
        "radius": _radius(side)[rows],
    }
    if clusters is not None:
        found["icc"] = _between_share(*_components(values[:, rows], clusters))
    return pd.DataFrame(found)


def _radius(side: Side) -> Int[np.ndarray, " edge"]:
    """Prompts that can be edited without moving the edge across the vote; -1 if abstained."""
    rng = stream(side.settings.seed, "paper table", "certificate")
    n = len(side.scores.values)
    return certified_circuit(
        side.scores.values,
        rng=rng,
        size=side.size,
        signed=side.settings.signed,
        p_delete=min(0.9, 1 - 4 / n) if n > 4 else 0.0,
        replicates=CERTIFICATE_REPLICATES,
    ).radius


def _components(
    values: Float[np.ndarray, "example edge"], templates: Sequence[str]
) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
    """(between templates, within templates) variance of single prompts, per edge."""
    between, within = moment_components(values, {"template": templates}).values
    return between, within


def _between_share(between: np.ndarray, within: np.ndarray) -> np.ndarray:
    total = between + within
    share = np.full(len(total), np.nan)
    np.divide(between, total, out=share, where=total > 0)
    return share.clip(0, 1)


def decision_rows(
    run: Run, groups: Mapping[str, Bool[np.ndarray, " edge"]]
) -> dict[str, dict[str, float]]:
    """Medians per edge group of the intraclass correlation (icc) and of standard errors.

    The SE is that of a mean score now (se_now), with twice the templates (se_templates) and with
    twice the prompts per template (se_prompts).
    """
    side = scored_side(run)
    clusters = None if side is None else use_templates(side.scores.templates)
    if side is None or clusters is None:
        return {}
    between, within = _components(side.scores.values, clusters)
    share = _between_share(between, within)
    templates = len(set(clusters))
    each = max(round(len(clusters) / templates), 1)
    designs = {"se_now": (templates, each, 1), "se_templates": (2 * templates, each, 1)}
    designs["se_prompts"] = (templates, 2 * each, 1)
    errors = {key: np.asarray(mean_se(between, within, sizes=s)) for key, s in designs.items()}
    return {
        name: {
            "icc": float(np.nanmedian(share[mask])),
            **{key: float(np.median(value[mask])) for key, value in errors.items()},
        }
        for name, mask in groups.items()
        if mask.any() and np.isfinite(share[mask]).any()
    }


def rank_overlap(run: Run) -> dict[str, float]:
    """Mean rank-biased overlap of complementary halves down to the circuit's size, by axis."""
    side = scored_side(run)
    if side is None:
        return {}
    values, found = side.scores.values, {}
    units = {"prompt": None, "template": use_templates(side.scores.templates)}
    for unit, clusters in units.items():
        if unit == "template" and clusters is None:
            continue
        rng = stream(side.settings.seed, "paper table", "halves", unit)
        halves = complementary_halves(len(values), HALVES, rng=rng, clusters=clusters)
        means = halves.weights @ values
        pairs = zip(means[0::2], means[1::2], strict=True)
        found[f"halves-{unit}"] = float(np.mean([rbo(a, b, depth=side.size) for a, b in pairs]))
    return found
