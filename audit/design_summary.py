"""What a finished design says: components of scores and of membership, Sobol shares, agreement.

Selection facets (size, rule, granularity) cannot change a score, so variance is decomposed twice:
of the scores, over the facets that can change them, and of membership (edge kept or not), over
all facets.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.derived_runs import Derived
from circuitvar.audit.design import Design, Effect, RunKey, labels_of, require_identifiable
from circuitvar.audit.facets import SELECTION
from circuitvar.audit.functional_anova import functional_anova
from circuitvar.audit.intervals import row_jackknife_se, t_interval
from circuitvar.audit.jaccard import mean_chance, pairwise_jaccard
from circuitvar.audit.moment_components import moment_components
from circuitvar.audit.nogueira import phi
from circuitvar.audit.types import Estimate
from circuitvar.circuits.methods import get_method

Runs = Float[np.ndarray, "run edge"]


def varied(keys: Sequence[RunKey], names: Sequence[str] | None = None) -> tuple[Effect, ...]:
    """The main effects that runs can speak about: facets with at least two levels among them."""
    present = [name for name, _ in keys[0].levels] if names is None else names
    return tuple(
        (name,) for name in present if len({repr(dict(key.levels)[name]) for key in keys}) > 1
    )


def responses(derived: Derived) -> dict[str, tuple[tuple[RunKey, ...], Runs]]:
    """Scores once per set of levels that can change them, and membership of every run."""
    keys = derived.table.keys
    first: dict[tuple[object, ...], int] = {}
    for row, key in enumerate(keys):
        levels = tuple(pair for pair in key.levels if pair[0] not in SELECTION)
        first.setdefault((levels, key.replicate), row)
    rows = list(first.values())
    own = tuple(
        RunKey(tuple(p for p in keys[r].levels if p[0] not in SELECTION), keys[r].replicate)
        for r in rows
    )
    scores = derived.table.scores[rows]
    if mixes_units(own):
        with np.errstate(invalid="ignore"):
            scores = scores / np.sqrt((scores**2).mean(axis=1, keepdims=True))
        scores = np.nan_to_num(scores)
    return {"score": (own, scores), "membership": (keys, derived.masks.astype(np.float64))}


def mixes_units(keys: Sequence[RunKey]) -> bool:
    """Whether scores of different runs have different units: metrics differ, or a method has a
    scale of its own. They are then divided by their root mean square over edges, run by run."""
    metrics = {dict(key.levels).get("metric") for key in keys}
    methods = {dict(key.levels).get("method") for key in keys} - {None}
    native = any(get_method(str(key)).unit == "native" for key in methods)
    return len(metrics) > 1 or (native and len(methods) > 1)


def design_components(
    design: Design, derived: Derived, *, interactions: Sequence[Effect] = ()
) -> pd.DataFrame:
    """One row per response and effect: variance summed over edges, share, median share over edges.

    Shares of a response sum to 1. Negative estimates are kept and marked. Random facets: variance
    over all levels there could be; `fixed` ones: over the listed levels, (L - 1)/L of that.

    Raises
    ------
    ValueError
        The runs cannot separate the effects; says which and what to do.
    """
    fixed = {facet.name: len(facet.levels) for facet in design.facets if not facet.random}
    frames = []
    for response, (keys, values) in responses(derived).items():
        wanted = [e for e in interactions if response == "membership" or not set(e) & {*SELECTION}]
        effects = (*varied(keys), *wanted)
        if not effects:
            continue
        require_identifiable(design, effects, keys=keys)
        factors = {" x ".join(effect): labels_of(keys, effect) for effect in effects}
        found = moment_components(values, factors)
        scale = [_finite(effect, fixed) for effect in effects] + [1.0]
        summed = found.values.sum(axis=1) * scale
        per_edge = found.values * np.array(scale)[:, None]
        total = per_edge.sum(axis=0)
        known = total > 0
        share = per_edge[:, known] / total[known]
        frames.append(
            pd.DataFrame(
                {
                    "response": response,
                    "component": found.names,
                    "kind": [*(_kind(effect, fixed) for effect in effects), "residual"],
                    "variance": summed,
                    "share": summed / summed.sum() if summed.sum() else np.nan,
                    "median_share": np.median(share, axis=1) if known.any() else np.nan,
                    "negative": summed < 0,
                }
            )
        )
    if not frames:
        raise ValueError("no facet has two levels among the runs; give one more levels")
    return pd.concat(frames, ignore_index=True)


def _kind(effect: Effect, fixed: dict[str, int]) -> str:
    return "fixed" if all(name in fixed for name in effect) else "random"


def _finite(effect: Effect, fixed: dict[str, int]) -> float:
    """Share of a component that is left when all levels of its facets are in the design."""
    if _kind(effect, fixed) == "random":
        return 1.0
    return float(np.prod([1 - 1 / fixed[name] for name in effect]))


def sobol_table(derived: Derived) -> pd.DataFrame:
    """Exact functional ANOVA of a full grid: share of every main effect and interaction, and the
    total index of single facets. Empty where cells are missing or unevenly filled."""
    frames = []
    for response, (keys, values) in responses(derived).items():
        names = tuple(effect[0] for effect in varied(keys))
        grid = full_grid(keys, values, names)
        if grid is None:
            continue
        found = functional_anova(grid, names)
        total = float(found.total.sum())
        for effect, variance in found.variance.items():
            single = effect[0] if len(effect) == 1 else None
            holding = [v.sum() for e, v in found.variance.items() if single in e]
            frames.append(
                {
                    "response": response,
                    "effect": " x ".join(effect),
                    "variance": float(variance.sum()),
                    "share": float(variance.sum()) / total if total else np.nan,
                    "total_share": float(sum(holding)) / total if single and total else np.nan,
                }
            )
    columns = ["response", "effect", "variance", "share", "total_share"]
    return pd.DataFrame(frames, columns=columns)


def full_grid(keys: Sequence[RunKey], values: Runs, names: tuple[str, ...]):
    """Values on a grid, one axis per facet and then edges, replicates averaged; None if some cell
    is missing or filled more often than another."""
    if not names:
        return None
    codes = np.stack([labels_of(keys, (name,)) for name in names])
    shape = tuple(codes.max(axis=1) + 1)
    cell = np.ravel_multi_index(tuple(codes), shape)
    filled = np.bincount(cell, minlength=int(np.prod(shape)))
    if filled.min() == 0 or filled.min() != filled.max():
        return None
    grid = np.zeros((len(filled), values.shape[1]))
    np.add.at(grid, cell, values)
    return (grid / filled[0]).reshape(*shape, values.shape[1])


def design_agreement(design: Design, derived: Derived, *, level: float = 0.95) -> pd.DataFrame:
    """Agreement of all runs, and of the runs that differ in one facet alone (`facet`).

    The interval fits the design: leave-one-level-out jackknife over every random facet, variances
    added; rows of a sampled design without random facets are draws; a grid of fixed facets has no
    sampling error and no interval.
    """
    keys, masks = derived.table.keys, derived.masks
    sizes, n_edges = masks.sum(axis=1), masks.shape[1]
    pairs = np.asarray(pairwise_jaccard(masks))
    groups = {"all facets": np.triu(np.ones_like(pairs, dtype=bool), 1)}
    names = [effect[0] for effect in varied(keys)]
    if len(names) > 1:
        codes = {name: labels_of(keys, (name,)) for name in names}
        differ = {n: code[:, None] != code[None, :] for n, code in codes.items()}
        number = np.sum(list(differ.values()), axis=0)
        groups |= {n: np.triu(differ[n] & (number == 1), 1) for n in names}
    rows = []
    for name, chosen in groups.items():
        row = {"facet": name, "runs": len(keys), "pairs": int(chosen.sum())}
        row["jaccard"] = float(pairs[chosen].mean()) if chosen.any() else np.nan
        if name == "all facets":
            agreement = phi_of_design(design, keys, masks, level=level)
            row |= {"phi": agreement.value, "phi_low": agreement.low, "phi_high": agreement.high}
            row |= {"interval": agreement.interval, "chance": mean_chance(sizes, n_edges)}
            row |= {"size": float(sizes.mean())}
        rows.append(row)
    return pd.DataFrame(rows)


def phi_of_design(
    design: Design,
    keys: Sequence[RunKey],
    masks: Bool[np.ndarray, "run edge"],
    *,
    level: float = 0.95,
) -> Estimate:
    """phi of all runs with the interval described in `design_agreement`."""
    random = [facet.name for facet in design.facets if facet.random]
    units = [labels_of(keys, (name,)) for name in random if (name,) in varied(keys)]
    label = f"jackknife over levels of {' and '.join(random)}"
    if not units and design.crossing == "sampled":
        units, label = [np.arange(len(keys))], "row jackknife t"
    variance, least = 0.0, np.inf
    for code in units:
        number = int(code.max()) + 1
        least = min(least, number)
        left_out = np.array([phi(masks[code != u]) for u in range(number)])
        variance += row_jackknife_se(left_out) ** 2
    if not units:
        label, variance, least = "none: no facet is a sample", np.nan, 0
    elif not np.isfinite(variance):
        label = "none: fewer than 3 levels of a random facet"
    return t_interval(
        "phi", phi(masks), float(np.sqrt(variance)), df=least - 1, n=int(least),
        level=level, interval=label, bounds=(-1.0, 1.0),
        estimand="agreement of two runs of the design",
    )  # fmt: skip
