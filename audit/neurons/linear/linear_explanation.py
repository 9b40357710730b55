"""Linear explanations: unit ~ sum_k w_k P(concept_k) + bias, scored where they were not fitted.

Oikarinen & Weng (2405.06855): elastic net to order concepts, then greedy selection or a top-k
refit. Splits are by cluster (prompt), and whole strata (templates) can be held out, because
correlation on other prompts of the same template overstates how far an explanation carries.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.neurons.data import ProbingSet
from circuitvar.audit.neurons.linear.greedy_refit import candidate_order, greedy_refit, top_k_refit
from circuitvar.audit.neurons.linear.linear_gram import (
    Gram,
    elastic_net,
    explained_correlation,
    gram,
)

Selection = Literal["greedy", "top-k"]
SPLITS, ENDS = ("train", "validation", "test"), (0.7, 0.7 + 0.1)
"""Splits of the prompts, and where each but the last ends: 70, 10 and 20 %."""


@dataclass(frozen=True)
class LinearOptions:
    """Everything that can change a linear explanation besides the data."""

    selection: Selection = "greedy"
    """How concepts are chosen from their elastic-net order."""
    penalty: float = 0.05
    """Weight lambda of the elastic net's penalty."""
    l1_ratio: float = 0.99
    """Share of the penalty that is on |w|, the rest on w^2."""
    signed: bool = True
    """Rank concepts by |coefficient|; False drops negative evidence, as the published code does."""
    max_length: int = 10
    """Most concepts of a greedy explanation, or k of a top-k refit."""
    width: int = 10
    """Candidates tried at each greedy step."""
    tolerance: float = 0.02
    """Validation correlation that a further concept must gain."""


@dataclass(frozen=True, eq=False)
class LinearExplanations:
    """Coefficients in activation units and correlations on each split."""

    coefficients: Float[np.ndarray, "concept unit"]
    bias: Float[np.ndarray, " unit"]
    unit_mean: Float[np.ndarray, " unit"]
    """Mean activation on the train split."""
    validation: Float[np.ndarray, " unit"]
    test: Float[np.ndarray, " unit"]
    """Simulation correlation on held-out prompts of the same strata; NaN without explanation."""
    transfer: Float[np.ndarray, " unit"]
    """Simulation correlation on held-out strata; NaN where none was held out."""
    names: tuple[str, ...]
    units: tuple[str, ...]
    held_out: tuple[str, ...]
    """Names of the held-out strata."""

    @property
    def length(self) -> np.ndarray:
        """Concepts per explanation; 0 is "no explanation"."""
        return (self.coefficients != 0).sum(axis=0)


def split_clusters(
    data: ProbingSet, *, rng: np.random.Generator, held_out: int = 0
) -> dict[str, Float[np.ndarray, " cluster"]]:
    """0/1 cluster weights of train, validation, test (within strata) and transfer (whole strata).

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> data = probing_set(np.zeros((10, 1)), np.zeros((10, 1)))
    >>> s = split_clusters(data, rng=np.random.default_rng(0))
    >>> [int(s[k].sum()) for k in ("train", "validation", "test", "transfer")]
    [7, 1, 2, 0]
    """
    codes = np.unique(data.strata)
    if not 0 <= held_out < len(codes):
        raise ValueError(
            f"cannot hold out {held_out} of {len(codes)} strata; at least one must remain."
        )
    away = rng.choice(codes, held_out, replace=False) if held_out else codes[:0]
    out = {key: np.zeros(data.n_groups) for key in (*SPLITS, "transfer")}
    out["transfer"][np.isin(data.strata, away)] = 1
    rest = rng.permutation(np.flatnonzero(~np.isin(data.strata, away)))
    # Dealing every stratum out in the same proportions keeps splits comparable.
    for code in np.setdiff1d(codes, away):
        mine = rest[data.strata[rest] == code]
        place = (np.arange(len(mine)) + 0.5) / len(mine)
        for split, key in enumerate(SPLITS):
            out[key][mine[np.searchsorted(ENDS, place, side="right") == split]] = 1
    for key in SPLITS:
        if not out[key].any():
            raise ValueError(
                f"{data.n_groups} clusters leave the {key} split empty; pass more prompts."
            )
    return out


def fit_linear(
    train: Gram, validation: Gram, options: LinearOptions
) -> Float[np.ndarray, "concept unit"]:
    """Coefficients of every unit from the Gram matrices of two splits."""
    standardised = elastic_net(
        train, penalty=options.penalty, l1_ratio=options.l1_ratio, positive=not options.signed
    )
    order = candidate_order(standardised, signed=options.signed)
    if options.selection == "top-k":
        return top_k_refit(train, order, k=options.max_length)
    if options.selection != "greedy":
        raise ValueError(f"selection is {options.selection!r}; choose greedy or top-k.")
    return greedy_refit(
        train,
        validation,
        order,
        max_length=options.max_length,
        width=options.width,
        tolerance=options.tolerance,
    )


def linear_explanations(
    data: ProbingSet,
    *,
    rng: np.random.Generator,
    options: LinearOptions = LinearOptions(),
    held_out: int = 0,
) -> LinearExplanations:
    """Explain every unit as a short weighted sum of concepts and score it on unseen prompts.

    Give one concept column per alias class; identical columns make the elastic net ambiguous.
    `held_out` strata (templates) are kept out of all three splits, for `transfer`.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, (300, 4)).astype(float)
    >>> unit = 2 * labels[:, 0] - labels[:, 3] + 0.1 * rng.normal(size=300)
    >>> found = linear_explanations(probing_set(unit[:, None], labels), rng=rng)
    >>> found.coefficients[:, 0].round(1).tolist()
    [2.0, 0.0, 0.0, -1.0]
    """
    parts = split_clusters(data, rng=rng, held_out=held_out)
    grams = {
        key: gram(data, data.weights * cluster[data.groups])
        for key, cluster in parts.items()
        if cluster.any()
    }
    coefficients = fit_linear(grams["train"], grams["validation"], options)
    scores = {key: explained_correlation(part, coefficients) for key, part in grams.items()}
    return LinearExplanations(
        coefficients=coefficients,
        bias=grams["train"].unit_mean - grams["train"].concept_mean @ coefficients,
        unit_mean=grams["train"].unit_mean,
        validation=scores["validation"],
        test=scores["test"],
        transfer=scores.get("transfer", np.full(data.n_units, np.nan)),
        names=data.names,
        units=data.units,
        held_out=tuple(data.strata_names[c] for c in np.unique(data.strata[parts["transfer"] > 0])),
    )


def simulate(
    found: LinearExplanations, concepts: Float[np.ndarray, "sample concept"]
) -> Float[np.ndarray, "sample unit"]:
    """Activations the explanations predict; the train mean for a unit without explanation."""
    return concepts @ found.coefficients + found.bias


def explanation_text(found: LinearExplanations, unit: int) -> str:
    """One line, e.g. `1.93 IO - 0.88 S2 + 0.02`; `no explanation` when nothing was selected."""
    w = found.coefficients[:, unit]
    order = [int(i) for i in np.argsort(-np.abs(w)) if w[i] != 0]
    if not order:
        return "no explanation"
    terms = [(w[i], found.names[i]) for i in order] + [(found.bias[unit], "")]
    words = [f"{'-' if v < 0 else '+'} {abs(v):.3g} {name}".rstrip() for v, name in terms]
    return " ".join(words).removeprefix("+ ")


def linear_table(found: LinearExplanations) -> pd.DataFrame:
    """One row per unit and selected concept."""
    concept, unit = np.nonzero(found.coefficients)
    table = pd.DataFrame({"unit": np.array(found.units, dtype=object)[unit]})
    table["concept"] = np.array(found.names, dtype=object)[concept]
    table["weight"] = found.coefficients[concept, unit]
    for field in ("bias", "validation", "test", "transfer", "length"):
        table[field] = getattr(found, field)[unit]
    return table.sort_values(["unit", "weight"], ascending=[True, False], ignore_index=True)
