"""Audit labels that another tool gave: whether the user's own data support them.

Point labels come without uncertainty. Here every imported label is looked up in the sets of the
audit, and an imported weighted explanation is simulated on the probing set.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.data import NeuronAudit, ProbingSet, label_columns
from circuitvar.audit.neurons.linear import explained_correlation, gram

SUPPORT = [*"confirmed compatible contradicted undecided under-powered".split(), "unknown concept"]
"""Confirmed: the stable label. Compatible: in S_maxt, not alone or not stable. Contradicted:
outside S_maxt of a stable or ambiguous unit. Undecided: the data identify no concept for the unit.
Under-powered: too few prompts with or without the concept. Unknown: no such concept column."""


def audit_labels(
    data: ProbingSet,
    audit: NeuronAudit,
    labels: pd.DataFrame,
    units: Sequence[int],
    *,
    layer: str | None = None,
) -> pd.DataFrame:
    """One row per unit that the file labels: the imported label, ours, and what supports it.

    `audit` is that of the same probing set, `labels` the frame of a reader in `label_files`,
    `units` the file's number of every unit of the probing set, `layer` that of a file with several.

    Returns
    -------
    pandas.DataFrame
        Columns unit, label (rank 0), concept (its alias class), support (one of `SUPPORT`), vote
        (share of resamples its class wins; 0 also stands for below .01), ours, verdict, reported
        (the file's score), concepts_found (share of the explanation's concepts with a column) and
        simulation: correlation of sum_k w_k P_k over those concepts with the unit, on all samples.

    Raises
    ------
    ValueError
        `units` does not match the probing set, or no unit of it has a label.

    >>> from circuitvar.audit.neurons.run.audit_neurons import audit_neurons
    >>> from circuitvar.audit.neurons.data import COLUMNS, probing_set
    >>> rng = np.random.default_rng(0)
    >>> concepts = rng.integers(0, 2, (400, 3))
    >>> acts = concepts[:, [1]] + 0.2 * rng.normal(size=(400, 1))
    >>> data = probing_set(acts, concepts, names=["cat", "dog", "red"])
    >>> file = pd.DataFrame([("l4", 7, 0, "Dog", 1.0, 0.2)], columns=COLUMNS)
    >>> audit_labels(data, audit_neurons(data), file, [7]).support.tolist()
    ['confirmed']
    """
    if len(units) != data.n_units:
        raise ValueError(
            f"{len(units)} unit numbers for {data.n_units} units; pass one per unit, in order."
        )
    column = label_columns(labels, units, data.names, layer=layer)
    rows = labels if layer is None else labels.loc[labels["layer"] == layer, :]
    rows = rows.sort_values(["unit", "rank"], kind="stable")
    explanations = {unit: terms for unit, terms in rows.groupby("unit") if unit in units}
    if not explanations:
        raise ValueError("the label file names none of these units; check units and layer.")
    coefficients, found = _coefficients(data, [explanations.get(unit) for unit in units])
    simulation = explained_correlation(gram(data, data.weights), coefficients)
    group_of = dict(zip(audit.aliases["concept"], audit.aliases["class"], strict=True))
    powered = set(audit.aliases.loc[audit.aliases["eligible"], "class"])
    votes = audit.votes.set_index(["unit", "concept"])
    table = []
    for position, number in enumerate(units):
        if number not in explanations:
            continue
        unit, label, verdict = audit.units.loc[position, ["unit", "label", "verdict"]]
        first = explanations[number].iloc[0]
        known_concept = column[position] >= 0
        group = group_of[data.names[column[position]]] if known_concept else ""
        voted = (unit, group) in votes.index
        share, kept = votes.loc[(unit, group), ["vote", "s_maxt"]] if voted else (0.0, False)
        support = "unknown concept"
        if known_concept:
            support = _support(group, label, verdict, kept=kept, powered=group in powered)
        table.append(
            {
                "unit": unit,
                "label": first["concept"],
                "concept": group,
                "support": support,
                "vote": share if known_concept else np.nan,
                "ours": label,
                "verdict": verdict,
                "reported": first["score"],
                "concepts_found": found[position],
                "simulation": simulation[position],
            }
        )
    return pd.DataFrame(table)


def _support(group: str, label: str, verdict: str, *, kept: bool, powered: bool) -> str:
    if not powered:
        return "under-powered"
    if verdict == "unidentified":
        return "undecided"
    if not kept:
        return "contradicted"
    return "confirmed" if verdict == "stable" and label == group else "compatible"


def _coefficients(
    data: ProbingSet, explanations: Sequence[pd.DataFrame | None]
) -> tuple[np.ndarray, np.ndarray]:
    """`[concept, unit]` weights of the concepts that have a column, and the share that has one."""
    column = {name.strip().lower(): i for i, name in enumerate(data.names)}
    out = np.zeros((data.n_concepts, data.n_units))
    share = np.full(data.n_units, np.nan)
    for unit, terms in enumerate(explanations):
        if terms is not None:
            used = terms[terms["weight"].notna()]
            places = [column.get(str(name).strip().lower(), -1) for name in used["concept"]]
            share[unit] = np.mean([place >= 0 for place in places])
            for place, weight in zip(places, used["weight"], strict=True):
                if place >= 0:
                    out[place, unit] += weight
    return out, share
