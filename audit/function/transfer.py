"""Agreement of function beside agreement of structure, across wordings.

The circuit of each template is run on the held-out prompts of every template. Circuits that share
few edges but serve each other's prompts equally well do the same job in different words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from circuitvar.audit.intervals import ratio_of_means
from circuitvar.audit.types import Estimate
from circuitvar.circuits.evaluate import evaluate_circuits
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Ablation, Circuit, Faithfulness
from circuitvar.tasks.types import Batch, Metric

KEPT = "function kept across templates"
"""Name of the estimate that one verdict rests on."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """Faithfulness of every template's circuit on every template's prompts."""

    frame: pd.DataFrame
    """Columns circuit, prompts, faithfulness."""
    kept: Estimate
    """Faithfulness of other templates' circuits over that of a template's own circuit."""
    runs: Mapping[str, Faithfulness]
    """Every template's circuit on all held-out prompts."""


def template_transfer(
    model: Model,
    circuits: Mapping[str, Circuit],
    heldout: Batch,
    *,
    metric: Metric,
    ablation: Ablation = "patching",
    level: float = 0.95,
) -> Transfer:
    """Run each circuit once on all held-out prompts; rows and columns are templates.

    `kept` = sum_i mean_{t' != t(i)} g_{t'}(i) / sum_i g_{t(i)}(i), with g_t(i) the metric of
    template t's circuit on prompt i minus that of the empty circuit. 1: other wordings' circuits
    do as well as the own one.

    Raises
    ------
    ValueError
        No held-out prompt belongs to a template that has a circuit, or there is one circuit only.
    """
    label = np.array(heldout.templates)
    names = tuple(name for name in circuits if (label == name).any())
    if len(names) < 2:
        raise ValueError(
            f"held-out prompts cover {len(names)} of {len(circuits)} templates with a circuit; "
            "transfer needs at least 2: use more held-out prompts"
        )
    runs = evaluate_circuits(
        model, [circuits[name] for name in names], heldout, metric=metric, ablation=ablation
    )
    gain = np.stack([run.circuit - run.empty for run in runs])
    gap = runs[0].full - runs[0].empty
    rows = [
        (name, other, float(gain[i, label == other].sum() / gap[label == other].sum()))
        for i, name in enumerate(names)
        for other in names
    ]
    known = np.isin(label, names)
    own_row = np.array([names.index(t) for t in label[known]])
    own = gain[:, known][own_row, np.arange(known.sum())]
    others = (gain[:, known].sum(axis=0) - own) / (len(names) - 1)
    kept = ratio_of_means(
        KEPT,
        others,
        own,
        templates=tuple(label[known].tolist()),
        level=level,
        estimand="faithfulness of other templates' circuits over that of the own circuit",
    )
    frame = pd.DataFrame(rows, columns=["circuit", "prompts", "faithfulness"])
    return Transfer(frame, kept, dict(zip(names, runs, strict=True)))
