"""Tidy frames of a neuron audit: one row per unit and per vote."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.neurons.data import ProbingSet
from circuitvar.audit.neurons.resampling import effective_concepts, vote_share_error
from circuitvar.audit.neurons.sets.concept_audit import UnitResult, unit_verdict
from circuitvar.audit.neurons.similarity import ConceptOptions

SETS = ("maxt", "vote", "conf", "new")


def unit_frame(
    data: ProbingSet,
    results: Sequence[UnitResult],
    names: Sequence[str],
    null: Float[np.ndarray, " unit"],
    options: ConceptOptions,
) -> pd.DataFrame:
    """One row per unit; the columns of `NeuronAudit.units` before linear explanations join."""
    error = vote_share_error(options.replicates, len(names))
    rows = []
    for unit, r in enumerate(results):
        known = bool(np.isfinite(r.score).any())
        top = int(np.nanargmax(r.score)) if known else -1
        share = float(r.share[top]) if known else float("nan")
        certificate = r.certificate
        rows.append(
            {
                "unit": data.units[unit],
                "label": names[top] if known else "",
                "verdict": unit_verdict(r, float(null[unit]), vote_bar=options.vote_bar),
                "metric": options.metrics[0],
                "score": float(r.score[top]) if known else float("nan"),
                "vote": share,
                "vote_low": max(share - error, 0.0),
                "vote_high": min(share + error, 1.0),
                "effective_concepts": float(effective_concepts(r.share[:, None])[0]),
                "set_maxt": _members(r.sets.maxt, names, r.score),
                **{f"size_{key}": int(getattr(r.sets, key).sum()) for key in SETS},
                "size_ci": -1 if r.sets.ci is None else int(r.sets.ci.sum()),
                **{key: getattr(r, key) for key in ("margin", "held_out", "held_low", "held_high")},
                "null_max": float(null[unit]),
                "metric_agreement": r.metric_agreement,
                "template_agreement": r.template_agreement,
                "identified": bool(certificate.identified) if certificate else False,
                "faithful_at_least": certificate.faithful_at_least if certificate else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _members(mask: np.ndarray, names: Sequence[str], score: np.ndarray) -> str:
    order = [i for i in np.argsort(-np.nan_to_num(score, nan=-np.inf)) if mask[i]]
    return "; ".join(str(names[i]) for i in order)


def vote_frame(
    data: ProbingSet, results: Sequence[UnitResult], names: Sequence[str], units: pd.DataFrame
) -> pd.DataFrame:
    """Classes with votes or in a set; for unidentified units only the five with most votes."""
    rows = []
    for unit, (r, verdict) in enumerate(zip(results, units["verdict"], strict=True)):
        order = np.argsort(-r.share, kind="stable")
        shown = [i for i in order if r.share[i] >= 0.01 or r.sets.maxt[i] or r.sets.new[i]]
        for i in shown[: 5 if verdict == "unidentified" else None]:
            rows.append(
                {
                    "unit": data.units[unit],
                    "concept": names[i],
                    "vote": float(r.share[i]),
                    "score": float(r.score[i]),
                    **{f"s_{key}": bool(getattr(r.sets, key)[i]) for key in SETS},
                    "s_ci": None if r.sets.ci is None else bool(r.sets.ci[i]),
                }
            )
    columns = ["unit", "concept", "vote", "score", "s_vote", "s_conf", "s_new", "s_maxt", "s_ci"]
    return pd.DataFrame(rows, columns=columns)
