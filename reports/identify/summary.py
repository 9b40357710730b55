"""What an identifiability search around a transformer's circuit amounts to: verdict, rows, text."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability.reruns import Richness
from circuitvar.audit.identifiability.transformers import MaskSearch
from circuitvar.reports.identify.reruns import EQUAL, degeneracy, method_noise

Verdict = Literal["unique near the cut", "not unique", "no compression", "empty", "undecided"]
WHY: dict[Verdict, str] = {
    "unique near the cut": "no other mask of the edges nearest the cut and no rival fits; edges "
    "further away were not freed",
    "not unique": "other circuits fit as well",
    "no compression": "the circuit is the whole model, which says nothing about uniqueness",
    "empty": "nothing is left of the circuit once dangling edges are removed; raise the size",
    "undecided": "masks were sampled and no second circuit was hit; use m of 14 or less",
}

CHAO1 = "circuits the method can return (Chao1)"


@dataclass(frozen=True, eq=False)
class ModelIdentifiability:
    """The answers, and the frames that tables are made from."""

    faithfulness: float
    """Of the discovered circuit, on held-out prompts."""
    near: MaskSearch
    """Masks that behave like the discovered circuit, within epsilon."""
    returned: Richness
    rivals: pd.DataFrame
    overlap: pd.DataFrame
    """Jaccard between re-runs by source, and between equally good circuits."""
    verdict: Verdict
    circuits_seen: int
    """Different circuits seen to fit, rivals included; a lower bound for the whole graph."""

    @property
    def summary(self) -> pd.DataFrame:
        """One row per quantity: value, how it is known, interval, note."""
        return summary_frame(self)


def judge(near: MaskSearch, *, rivals: int, effective: int, whole: int) -> Verdict:
    """Whether the discovered circuit is the only one that fits.

    `effective` and `whole` are the edges left of the circuit and of the whole model once dangling
    edges are removed; `rivals` counts different circuits a rival search found to fit. "Unique"
    needs every mask near the cut to have been run, and is said of that neighbourhood only.
    """
    if effective == whole:
        return "no compression"
    if effective == 0:
        return "empty"
    if near.distinct > 1 or rivals:
        return "not unique"
    return "unique near the cut" if near.outcome == "pass" else "undecided"


def summary_frame(result: ModelIdentifiability) -> pd.DataFrame:
    """One row per quantity: value, how it is known, interval, note.

    The row `verdict` has the number of different circuits that were seen to fit as its value and
    the verdict in words as its note.
    """
    near, returned, overlap = result.near, result.returned, result.overlap
    full = float((np.abs(near.values - 1) <= near.epsilon).mean())
    best = result.rivals.loc[result.rivals["rival"], "jaccard"].to_numpy(dtype=float)
    counted = near.count.known
    seen = "lower bound" if counted != "exact" else "exact"
    resampled = f"{returned.runs} bootstrap resamples of the prompts"
    forced = len(near.forced_on) / len(near.free)
    known = "exact" if counted == "exact" else "estimate"
    back = "probability that a re-run returns a circuit already seen"
    fits = near.count.name + " that fit"
    within = f"within {near.epsilon:g} of the circuit's faithfulness"
    only_near = "1 - Jaccard between equally good circuits; only the edges nearest the cut vary"
    over_sources = "1 - Jaccard between re-runs, mean over their sources"
    method, true = method_noise(overlap), degeneracy(overlap)
    why = f"{result.verdict}: {WHY[result.verdict]}"
    rows: list[tuple[str, float, str, str]] = [
        ("verdict", result.circuits_seen, "lower bound", why),
        ("faithfulness of the circuit", result.faithfulness, "exact", ""),
        ("edges in the circuit", near.circuit.sum(), "exact", ""),
        (fits, near.count.value, counted, within),
        ("share of masks that fit", near.share, counted, ""),
        ("share of masks within epsilon of the full model", full, counted, ""),
        ("different circuits among them", near.distinct, seen, "dangling edges removed"),
        ("edges forced on / free edges", forced, known, ""),
        ("circuits returned by re-runs", returned.seen, "exact", resampled),
        (CHAO1, returned.chao1.value, returned.chao1.known, returned.chao1.how),
        (back, returned.coverage, "estimate", "Good-Turing"),
        ("rivals found", len(best), "lower bound", "penalised reuse, greedy"),
        ("method noise", method, "estimate", over_sources),
        ("true degeneracy near the cut", true, known, only_near),
    ]
    if len(best):
        rows.append(("least overlap of a rival (Jaccard)", best.min(), "exact", ""))
    for row in overlap.loc[overlap["circuits"] != EQUAL].to_dict("records"):
        name = f"method noise, {row['circuits']}"
        note = f"{row['runs']} re-runs; by chance {1 - row['chance']:.3f}; {row['note']}"
        rows.append((name, 1 - row["jaccard"], "estimate", note))
    frame = pd.DataFrame(rows, columns=["quantity", "value", "known", "note"])
    intervals = {fits: near.count, CHAO1: returned.chao1}
    for place, side in ((3, "low"), (4, "high")):
        limits = {name: getattr(count, side) for name, count in intervals.items()}
        frame.insert(place, side, frame["quantity"].map(limits.get).astype(float))
    return frame.astype({"value": float})


def summary_sentences(result: ModelIdentifiability, *, model: str, task: str) -> list[str]:
    """The findings in plain sentences, most important first."""
    near, overlap = result.near, result.overlap
    noise, true = method_noise(overlap), degeneracy(overlap)
    rivals = int(result.rivals["rival"].to_numpy().sum())
    sources = overlap.loc[overlap["circuits"] != EQUAL]
    parts = ", ".join(
        f"{1 - row['jaccard']:.2f} over {row['circuits']}" for row in sources.to_dict("records")
    )
    verdict = f"Verdict for {model} on {task}: {result.verdict} ({WHY[result.verdict]})."
    degenerate = "unknown (no mask fits)."
    if not np.isnan(true):
        degenerate = (
            f"{true:.2f} (1 - Jaccard between equally good circuits that differ in the edges "
            "nearest the cut)."
        )
    return [
        verdict,
        f"The circuit of {int(near.circuit.sum())} edges has faithfulness "
        f"{result.faithfulness:.3f}; of the masks of the {len(near.free)} edges nearest the cut, "
        f"{near.share:.1%} ({near.count.known}) behave like it within {near.epsilon:g}, as "
        f"{near.distinct} different circuits.",
        f"Method noise is {noise:.2f} (1 - Jaccard between re-runs: {parts}); "
        f"true degeneracy near the cut is {degenerate}",
        f"{result.returned.runs} re-runs on resampled prompts returned {result.returned.seen} "
        f"different circuits; the method can return at least "
        f"{result.returned.chao1.value:.0f} (Chao1, a lower bound).",
        f"A search that penalises reuse found {rivals} rivals; finding none would not prove "
        "uniqueness.",
    ]
