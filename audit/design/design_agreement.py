"""Agreement of the runs of a design: of all of them, and facet by facet."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool

from circuitvar.audit.agreement import block_intervals, least_of_resamples
from circuitvar.audit.design.design_phi import LEAST_RESAMPLES, phi_of_design
from circuitvar.audit.design.design_summary import varied
from circuitvar.audit.indices import (
    jaccard_of_resamples,
    jaccard_of_runs,
    mean_chance,
    pairwise_jaccard,
    phi,
    phi_of_resamples,
    phi_of_runs,
)
from circuitvar.audit.runs import SAMPLE, Derived, Design, RunKey, Sample
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Estimate

Masks = Bool[np.ndarray, "run edge"]
RESAMPLED, TEMPLATE = SAMPLE


def design_agreement(
    design: Design,
    derived: Derived,
    *,
    level: float = 0.95,
    sample: Callable[[RunKey], Sample | None] = lambda key: None,
    seed: int = 0,
) -> pd.DataFrame:
    """Agreement of all runs, and of the runs that differ in one facet alone (`facet`).

    Columns: facet, runs, pairs, jaccard and phi with low and high, interval, chance, size, empty
    (circuits without edges, whose Jaccard is undefined and left out). One facet: means over the
    cells of the other facets. Intervals fit the design, see `design_phi.phi_of_design` and, for
    one facet, `_block_interval`; where one facet is all that varies the first row is that of it.
    `sample` gives what the resamples of a run were drawn from, `derived_runs.sample_of`, where it
    is stored: their interval is then from blocks of it and not from the replicates alone.
    """
    keys, masks = derived.keys, derived.masks
    filled = masks.any(axis=1)
    names = [effect[0] for effect in varied(keys)]

    def found(name: str, blocks):
        if not blocks:
            return None, None
        return _block_interval(design, derived, name, blocks, level, sample, seed)

    every = blocks_of(keys, names[0]) if len(names) == 1 else []
    whole = found(names[0], every) if every else (None, None)
    if whole[0] is None:
        every = [np.arange(len(keys))]
        whole = phi_of_design(design, keys, masks, weights=derived.weights, level=level), None
    rows = [_row("all facets", every, masks, filled, whole)]
    for name in names if len(names) > 1 else ():
        blocks = blocks_of(keys, name)
        rows.append(_row(name, blocks, masks, filled, found(name, blocks)))
    return pd.DataFrame(rows)


def blocks_of(keys: Sequence[RunKey], name: str) -> list[np.ndarray]:
    """Rows that differ in one facet alone, at least two together."""
    found: dict[object, list[int]] = {}
    for row, key in enumerate(keys):
        rest = tuple(pair for pair in key.levels if pair[0] != name)
        # A bootstrap resample is one of many; all prompts as drawn is not.
        if name == RESAMPLED and not dict(key.levels)[name]:
            continue
        if name == TEMPLATE and dict(key.levels)[name] is None:
            continue
        found.setdefault((rest, key.replicate), []).append(row)
    return [np.array(rows) for rows in found.values() if len(rows) > 1]


def _row(name, blocks, masks: Masks, filled, interval) -> dict[str, object]:
    pairs, values = 0, []
    for rows in blocks:
        own = pairwise_jaccard(masks[rows[filled[rows]]])
        values.append(own[np.triu_indices(len(own), 1)])
        pairs += len(values[-1])
    every = np.concatenate(values) if values else np.empty(0)
    agreement, overlap = interval
    if agreement is None and blocks:
        each = [phi(masks[rows]) for rows in blocks]
        value = float(np.nanmean(each)) if np.isfinite(each).any() else np.nan
        agreement = Estimate("phi", value, **_none("mean over blocks"))
    used = np.unique(np.concatenate(blocks)) if blocks else np.empty(0, dtype=int)
    used = used[filled[used]]
    jaccard = overlap or Estimate("jaccard", float(every.mean()) if len(every) else np.nan)
    agreement = agreement or Estimate("phi", np.nan, **_none("no two runs differ in it alone"))
    sizes = masks[used].sum(axis=1)
    return {
        "facet": name,
        "runs": len(used),
        "pairs": pairs,
        "jaccard": jaccard.value,
        "jaccard_low": jaccard.low,
        "jaccard_high": jaccard.high,
        "phi": agreement.value,
        "phi_low": agreement.low,
        "phi_high": agreement.high,
        "interval": agreement.interval,
        "chance": mean_chance(sizes, masks.shape[1]) if len(used) > 1 else np.nan,
        "size": float(sizes.mean()) if len(used) else np.nan,
        "empty": int((~filled[np.concatenate(blocks)]).sum()) if blocks else 0,
    }


def _none(why: str) -> dict[str, Any]:
    return {"interval": f"none: {why}", "missing": f"no interval: {why}"}


def _block_interval(
    design: Design, derived: Derived, name: str, blocks, level: float, sample, seed: int
) -> tuple[Estimate | None, Estimate | None]:
    """(phi, Jaccard) of one block with the interval of its kind.

    Blocks of the data set that resamples were drawn from, or the infinitesimal jackknife where it
    is not at hand; row jackknife t for levels that are a sample. Several blocks, fixed levels and
    circuits without edges have none.
    """
    (rows, *others), masks = blocks, derived.masks
    is_sample = {facet.name: facet.random for facet in design.facets}[name]
    if others or not is_sample or not masks[rows].any(axis=1).all():
        return None, None
    chosen, pairs = masks[rows], pairwise_jaccard(masks[rows])
    size = float(chosen.sum(axis=1).mean())
    if name != RESAMPLED:
        return phi_of_runs(chosen, level=level), jaccard_of_runs(pairs, size=size, level=level)
    if len(rows) < LEAST_RESAMPLES:
        return None, None
    weights = np.stack([derived.weights[row] for row in rows])
    used = weights[:, weights.any(axis=0)]
    counts = used * used.shape[1]
    found = least_of_resamples(
        phi_of_resamples(chosen, counts, level=level),
        jaccard_of_resamples(pairs, counts, level=level),
        pairs,
        size=size,
        n_edges=chosen.shape[1],
    )
    drawn_from = sample(derived.keys[rows[0]])
    if drawn_from is None:
        return found
    return block_intervals(
        found,
        drawn_from.scores,
        runs=len(rows),
        kept=size,
        size=drawn_from.select,
        rng=stream(seed, "blocks of a design"),
        level=level,
    )
