"""Probing sets of a model on a task batch, and explanations put in the place of its neurons.

Samples are (prompt, position) for neurons, head outputs and edges, and (prompt, key position) for
attention, so "attends to the indirect object" is a concept match of the key's role. Clusters are
prompts, strata templates.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.neurons.data import (
    ProbingSet,
    TokenConcepts,
    as_numpy,
    open_array,
    probing_set,
    take_units,
)
from circuitvar.audit.neurons.linear import LinearExplanations, simulate
from circuitvar.audit.types import Estimate
from circuitvar.circuits.units import metric_with_neurons, mlp_neurons
from circuitvar.tasks.types import Batch, Metric

if TYPE_CHECKING:
    from torch import Tensor

    from circuitvar.circuits.model import Model


DIRECTIONS = ("logit-difference", "answer", "wrong-answer")
"""Directions of the residual stream that have a name; others come as a file."""
Outputs = Float[np.ndarray, " example"]
REPLICATES, LEVEL = 1000, 0.95
"""Of the interval of a substitution score."""


def neuron_probing_set(
    model: "Model", batch: Batch, concepts: TokenConcepts, *, point: str = "post"
) -> ProbingSet:
    """MLP neurons at every real token; units `m{layer}.n{index}`, or `m0.n12<pre>` (`POINTS`).

    >>> from circuitvar.circuits.units.unit_activations import POINTS
    >>> POINTS
    ('post', 'pre', 'gate', 'up')
    """
    acts, names = mlp_neurons(model, batch, point=point)
    return token_probing_set(acts, names, batch, concepts)


def named_direction(
    model: "Model", batch: Batch, name: str
) -> "Float[Tensor, 'batch_or_1 d_model']":
    """One of `DIRECTIONS`, or the vector in a `.npy` or one-tensor `.safetensors` file.

    Raises
    ------
    ValueError
        Neither a known name nor a file, or the file holds another shape.
    """
    import torch

    if name in DIRECTIONS:
        return answer_direction(model, batch, part=name)
    if not Path(name).is_file():
        raise ValueError(
            f"direction {name!r} is not a file; use {', '.join(DIRECTIONS)}, or a .npy or "
            ".safetensors file of one vector."
        )
    vector = np.array(as_numpy(open_array(Path(name))), dtype=np.float32)
    width = model.architecture.d_model
    if vector.size != width:
        raise ValueError(f"{name} has shape {vector.shape}; a direction has {width} numbers.")
    return torch.from_numpy(vector.reshape(1, width)).to(model.device)


def answer_direction(
    model: "Model", batch: Batch, *, part: str = "logit-difference"
) -> "Float[Tensor, 'batch d_model']":
    """Mean unembedding of each prompt's answers minus that of its wrong answers, or one of them.

    The final norm is left out, so values are proportional to direct logit contributions only up
    to its scale.
    """
    table: Tensor = model.architecture.unembed.weight  # pyright: ignore[reportAssignmentType]
    table = table.detach()

    def mean(ids: "Int[Tensor, 'batch answer']") -> "Float[Tensor, 'batch d_model']":
        real = (ids >= 0).to(table.dtype)[..., None]
        if (real.sum(dim=1) == 0).any():
            raise ValueError("a prompt has no answer or no wrong answer; pass a direction instead.")
        return (table[ids.clamp(min=0)] * real).sum(dim=1) / real.sum(dim=1)

    if part == "answer":
        return mean(batch.answers)
    if part == "wrong-answer":
        return mean(batch.wrong_answers)
    return mean(batch.answers) - mean(batch.wrong_answers)


def token_probing_set(
    acts: Float[np.ndarray, "batch pos unit"],
    units: Sequence[str],
    batch: Batch,
    concepts: TokenConcepts,
) -> ProbingSet:
    """Any per-token units (head outputs along a direction, SAE latents) with token concepts."""
    return probing_set(
        np.ascontiguousarray(acts[concepts.example, concepts.position]),
        concepts.values,
        groups=concepts.example,
        strata=np.array(batch.templates)[concepts.example],
        units=units,
        names=concepts.names,
    )


def live_units(data: ProbingSet, *, least: float = 1e-6) -> ProbingSet:
    """The same probing set without units whose sd is below `least` times their size."""
    acts = np.asarray(data.acts)
    size = np.abs(acts).max(axis=0)
    keep = np.flatnonzero(acts.std(axis=0) > least * size)
    if not len(keep):
        raise ValueError("every unit is constant on this probing set.")
    return take_units(data, keep)


def align_columns(concepts: TokenConcepts, data: ProbingSet) -> Float[np.ndarray, "sample concept"]:
    """Concept values of other tokens in the columns of `data`; absent concepts are 0."""
    column = {name: i for i, name in enumerate(concepts.names)}
    out = np.zeros((len(concepts.values), data.n_concepts))
    for j, name in enumerate(data.names):
        if name in column:
            out[:, j] = concepts.values[:, column[name]]
    return out


def substitution_scores(
    model: "Model",
    batch: Batch,
    metric: Metric,
    concepts: TokenConcepts,
    columns: Float[np.ndarray, "sample concept"],
    found: LinearExplanations,
    units: Sequence[str],
    *,
    rng: np.random.Generator,
) -> tuple[dict[str, Estimate], Estimate]:
    """Substitution score of each MLP neuron, and of all of them replaced together.

    Neurons are replaced at real tokens only (not BOS, not padding), by the explanation's
    prediction and, for the reference, by their mean activation in the fit. The `batch` is of
    held-out prompts, not those `found` was fitted on; `concepts` are its tokens and `columns` the
    concept values in the order of `found.names`.
    """
    shape = tuple(batch.clean.shape)
    place = np.zeros(shape, dtype=bool)
    place[concepts.example, concepts.position] = True
    predicted = simulate(found, columns)
    index = {name: i for i, name in enumerate(found.units)}

    def run(chosen: Sequence[str], constant: bool) -> np.ndarray:
        values = {}
        for name in chosen:
            grid = np.zeros(shape)
            new = found.unit_mean[index[name]] if constant else predicted[:, index[name]]
            grid[concepts.example, concepts.position] = new
            values[name] = grid
        return metric_with_neurons(model, batch, metric, values, where=place)

    intact = run((), False)

    def score(chosen: Sequence[str]) -> Estimate:
        return substitution_score(intact, run(chosen, False), run(chosen, True), rng=rng)

    return {name: score([name]) for name in units}, score(units)


def substitution_score(
    intact: Outputs, simulated: Outputs, mean_ablated: Outputs, *, rng: np.random.Generator
) -> Estimate:
    """Share of the unit's effect that its explanation restores, with a prompt-bootstrap interval.

    a = 1 - sum |y_sim - y| / sum |y_mean - y| over examples, y a number per example (logit
    difference, loss) with the unit intact, simulated or set to its mean. 1 is perfect, 0 no better
    than the mean. Published averages are small (best .07 for ResNet-50, 2405.06855).

    >>> y = np.array([1.0, 2.0]); mean = np.array([0.0, 0.0])
    >>> substitution_score(y, y, mean, rng=np.random.default_rng(0)).value
    1.0
    """
    lost = np.abs(np.asarray(simulated, float) - intact)
    effect = np.abs(np.asarray(mean_ablated, float) - intact)
    if not (np.isfinite(lost).all() and np.isfinite(effect).all()):
        raise ValueError("outputs contain NaN or infinity; check the ablated runs.")
    n = len(effect)
    if effect.sum() <= 1e-9 * max(np.abs(intact).sum(), 1e-12):
        return Estimate(
            "substitution score",
            float("nan"),
            n=n,
            estimand="unit has no effect",
            unit="prompt",
            missing="no interval: unit has no effect",
        )
    draws = rng.multinomial(n, np.full(n, 1 / n), size=REPLICATES)
    below = draws @ effect
    values = np.where(below > 0, 1 - (draws @ lost) / np.where(below > 0, below, 1), np.nan)
    low, high = np.nanquantile(values, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Estimate(
        name="substitution score",
        value=float(1 - lost.sum() / effect.sum()),
        se=float(np.nanstd(values, ddof=1)),
        low=float(low),
        high=float(high),
        level=LEVEL,
        n=n,
        interval="percentile bootstrap over prompts",
        kind="bootstrap",
        unit="prompt",
        estimand="share of the unit's effect on the output restored by its simulation",
        draws=values,
    )
