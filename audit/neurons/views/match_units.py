"""Give units of independently trained models common names, by what they do on the same samples.

Unit numbers mean nothing across training seeds: permuting a layer's neurons leaves the model
unchanged. Matching is chosen to make models look alike, so the agreement of matched labels is an
upper estimate; it is reported beside that of units of a layer paired at random, and beside the
overlap of the label distributions, which needs no matching.
"""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from circuitvar.audit.neurons.data import ProbingSet, as_numpy


def match_units(
    data: ProbingSet, other: ProbingSet
) -> tuple[Int[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """For each unit of `data` a different unit of `other` in its layer, and their correlation.

    Layer by layer the sum of Pearson correlations of activations over the samples is largest
    (Hungarian method). Constant units correlate 0 with everything. The layer of `m0.n12` is m0;
    units whose names say no layer share one.

    Raises
    ------
    ValueError
        The samples differ, or a layer of `other` has too few units.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> data = probing_set([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [[0], [1], [0]])
    >>> match_units(data, probing_set(np.asarray(data.acts)[:, ::-1], data.concepts))[0].tolist()
    [1, 0]
    """
    if data.n_samples != other.n_samples or (data.groups != other.groups).any():
        raise ValueError(
            f"units are matched on the same samples, but there are {data.n_samples} and "
            f"{other.n_samples}; run both models on the same prompts."
        )
    mine, theirs = _standardised(data), _standardised(other)
    layers, their_layers = unit_layers(data.units), unit_layers(other.units)
    order = np.empty(data.n_units, dtype=np.int64)
    correlation = np.empty(data.n_units)
    for layer in np.unique(layers):
        rows, columns = np.flatnonzero(layers == layer), np.flatnonzero(their_layers == layer)
        if len(columns) < len(rows):
            raise ValueError(
                f"layer {layer or 'of the units'} has {len(rows)} units to match but the other "
                f"model has {len(columns)} there; compare models of one shape."
            )
        table = mine[:, rows].T @ theirs[:, columns]
        chosen = linear_sum_assignment(-table)[1]
        order[rows] = columns[chosen]
        correlation[rows] = table[np.arange(len(rows)), chosen]
    return order, correlation


def seed_agreement(
    labels: Int[np.ndarray, " unit"],
    units: tuple[str, ...],
    others: Mapping[str, tuple[ProbingSet, Int[np.ndarray, " other"], np.ndarray, np.ndarray]],
) -> pd.DataFrame:
    """How much labels of other models agree with the reference's, matched and unmatched.

    One row per model: `matched_correlation` (mean over units), `matched_agreement` (share of
    labelled units whose match has the same label), `random_agreement` (its expectation when units
    of a layer are paired at random) and `label_overlap` (1 - total variation distance between the
    shares of labels of all labelled units; 1 = the same concepts are represented as often).

    `labels` are class codes of the reference model, -1 without label; `others` holds per model its
    probing set, the class code of every unit of it, and `match_units`.
    """
    layers = unit_layers(units)
    kept = labels >= 0
    rows = []
    for name, (data, codes, order, correlation) in others.items():
        their_layers = unit_layers(data.units)
        chance = [
            (codes[their_layers == layer] == code).mean()
            for layer, code in zip(layers[kept], labels[kept], strict=True)
        ]
        size = max(int(labels.max()), int(codes.max())) + 1
        shares = [
            np.bincount(part, minlength=size) / max(len(part), 1)
            for part in (labels[kept], codes[codes >= 0])
        ]
        rows.append(
            {
                "model": name,
                "units": int(kept.sum()),
                "matched_correlation": float(correlation[kept].mean()),
                "matched_agreement": float((codes[order] == labels)[kept].mean()),
                "random_agreement": float(np.mean(chance)),
                "label_overlap": float(1 - np.abs(shares[0] - shares[1]).sum() / 2),
            }
        )
    return pd.DataFrame(rows)


def unit_layers(units: tuple[str, ...]) -> np.ndarray:
    """Layer of each unit by its name (`m0` of `m0.n12`); empty where the name says none."""
    found = (re.fullmatch(r"([am]\d+)\.[nh]\d+(<\w+>)?", name) for name in units)
    return np.array([match.group(1) if match else "" for match in found])


def _standardised(data: ProbingSet) -> Float[np.ndarray, "sample unit"]:
    """Columns of mean 0 and length 1; constant columns are 0."""
    acts = np.array(as_numpy(data.acts), dtype=np.float64)
    size = np.sqrt((acts**2).sum(axis=0))
    acts -= acts.mean(axis=0)
    length = np.sqrt((acts**2).sum(axis=0))
    return acts / np.where(length > 1e-7 * size, length, np.inf)
