"""Train many small nets on Boolean functions at once: one batched tensor, one seed per slice.

The recipe is that of the code released with arXiv 2502.20914: LeakyReLU after every layer,
mean squared error, AdamW, 4000 draws of rows with replacement, batches of 100, stop when the mean
training loss of an epoch is below the target or has not improved for three epochs.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.audit.identifiability.nets.boolean_net import BooleanNet, activations, leaky
from circuitvar.tasks.language import input_rows, truth_table


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is trained, besides gates and seed."""

    width: int = 3
    depth: int = 2
    """Hidden layers."""
    learning_rate: float = 1e-3
    loss_target: float = 1e-2
    """Per net; the released command line's default. The paper uses 1e-3 times the outputs."""
    epochs: int = 1000
    """0 gives untrained nets, a control."""
    patience: int = 3
    batch: int = 100
    draws: int = 4000
    noise: float = 0.0
    """Standard deviation of Gaussian noise on the inputs; labels stay those of the clean row."""
    row_weights: tuple[float, ...] | None = None
    """Relative frequency of the truth-table rows; None is uniform."""
    shuffle_labels: bool = False
    """Break the link between inputs and labels, a control."""
    slope: float = 0.01
    weight_decay: float = 1e-2


@dataclass(frozen=True, eq=False)
class TrainedNet:
    """One net and how its training ended."""

    net: BooleanNet
    gates: tuple[str, ...]
    seed: int
    loss: float
    """Mean training loss of the last epoch; NaN when untrained."""
    accuracy: float
    """Share of truth-table rows whose rounded outputs are all right."""
    epochs: int
    converged: bool
    """Accuracy at least 0.99 and loss at or below the target: only such runs are counted."""


def train_nets(
    gates: Sequence[str | Sequence[int]], *, seeds: Sequence[int], recipe: Recipe | None = None
) -> tuple[TrainedNet, ...]:
    """Train one net per seed; output o computes `gates[o]`.

    Each seed has its own random stream (initial weights, draws, batch order), so the nets do not
    depend on which other seeds are trained with them, up to rounding in batched products.

    Raises
    ------
    ValueError
        No gates or seeds, gates with different numbers of inputs, a bad recipe.
    """
    recipe = recipe or Recipe()
    tables = _tables(gates, recipe)
    n_inputs = int(np.log2(tables.shape[1]))
    widths = (n_inputs, *([recipe.width] * recipe.depth), len(tables))
    if not len(seeds):
        raise ValueError("seeds is empty; give at least one, e.g. range(100)")
    streams = [np.random.default_rng([7, s]) for s in seeds]
    parameters = _initial(widths, seeds)
    data = [_draw(tables, recipe, rng) for rng in streams]
    losses, epochs = _fit(parameters, data, streams, tables, recipe)
    names = tuple(g if isinstance(g, str) else "".join(map(str, g)) for g in gates)
    return tuple(
        _finish(_slice(parameters, i, recipe.slope), names, s, losses[i], epochs[i], tables, recipe)
        for i, s in enumerate(seeds)
    )


def _tables(gates: Sequence[str | Sequence[int]], recipe: Recipe) -> np.ndarray:
    if not len(gates):
        raise ValueError("gates is empty; give one per output, e.g. ('xor',)")
    if recipe.width < 1 or recipe.depth < 1:
        raise ValueError(f"width {recipe.width} and depth {recipe.depth} must be at least 1")
    tables = [truth_table(g) for g in gates]
    if len({len(t) for t in tables}) > 1:
        raise ValueError(
            f"gates have truth tables of {sorted({len(t) for t in tables})} rows; "
            "outputs of one net share their inputs, use gates of the same size"
        )
    return np.array(tables)


def _initial(widths: Sequence[int], seeds: Sequence[int]) -> list[Tensor]:
    """What torch.nn.Linear draws after `manual_seed(seed)`, layer by layer.

    Seed s starts where seed s of the released code does: uniform within 1/sqrt(inputs).
    """
    streams = [torch.Generator().manual_seed(int(s)) for s in seeds]
    out = []
    for src, dst in itertools.pairwise(widths):
        bound = 1 / np.sqrt(src)
        for shape in ((dst, src), (dst,)):
            draws = [torch.empty(shape).uniform_(-bound, bound, generator=g) for g in streams]
            out.append(torch.stack(draws).requires_grad_())
    return out


def _draw(tables: np.ndarray, recipe: Recipe, rng: np.random.Generator):
    """Row numbers, inputs and labels of one seed's training set."""
    n_rows = tables.shape[1]
    weights = np.ones(n_rows) if recipe.row_weights is None else np.array(recipe.row_weights)
    if len(weights) != n_rows or not (weights > 0).all():
        raise ValueError(f"row_weights needs {n_rows} positive numbers; got {recipe.row_weights}")
    row = rng.choice(n_rows, size=recipe.draws, p=weights / weights.sum())
    x = input_rows(int(np.log2(n_rows)))
    inputs = x[row].astype(np.float64)
    if recipe.noise:
        inputs += recipe.noise * rng.normal(size=inputs.shape)
    labels = tables[:, rng.permutation(row) if recipe.shuffle_labels else row].T
    return row, inputs, labels.astype(np.float64)


def _epoch_batches(data, streams, n_rows: int, recipe: Recipe):
    """One epoch of (inputs, targets, weights), each (seed, row, ...).

    Without noise a batch is its row counts (inputs and targets are None): same loss, fewer rows.
    """
    size = recipe.batch
    orders = [rng.permutation(recipe.draws) for rng in streams]
    plain = recipe.noise == 0 and not recipe.shuffle_labels
    for at in range(0, recipe.draws, size):
        picks = list(zip(data, [o[at : at + size] for o in orders], strict=True))
        n = len(picks[0][1])
        if plain:
            counts = [np.bincount(row[p], minlength=n_rows) for (row, _, _), p in picks]
            yield None, None, np.array(counts) / n
        else:
            x = [inputs[p] for (_, inputs, _), p in picks]
            y = [labels[p] for (_, _, labels), p in picks]
            yield np.array(x), np.array(y), np.full((len(data), n), 1 / n)


def _fit(parameters: list[Tensor], data, streams, tables: np.ndarray, recipe: Recipe):
    """Train in place; each seed's slice is frozen at the epoch where it stops."""
    n, grid = len(streams), input_rows(parameters[0].shape[2])
    grid_x = torch.tensor(grid, dtype=torch.float32)
    grid_y = torch.tensor(tables.T, dtype=torch.float32)
    optimizer = torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, foreach=True
    )
    best, waited = np.full(n, np.inf), np.zeros(n, dtype=int)
    final, stopped = np.full(n, np.nan), np.zeros(n, dtype=int)
    running = np.ones(n, dtype=bool)
    frozen = [p.detach().clone() for p in parameters]
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        for x, y, weight in _epoch_batches(data, streams, len(grid), recipe):
            inputs = grid_x.expand(n, -1, -1) if x is None else torch.tensor(x).float()
            targets = grid_y if y is None else torch.tensor(y).float()
            error = ((_forward(parameters, inputs, recipe.slope) - targets) ** 2).mean(dim=2)
            loss = (error * torch.tensor(weight, dtype=torch.float32)).sum(dim=1)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            losses.append(loss.detach().numpy())
        mean = np.mean(losses, axis=0)
        waited = np.where(mean < best, 0, waited + 1)
        best = np.minimum(best, mean)
        ends = running & ((mean < recipe.loss_target) | (waited >= recipe.patience))
        ends |= running & (epoch == recipe.epochs)
        for p, f in zip(parameters, frozen, strict=True):
            f[torch.tensor(ends)] = p.detach()[torch.tensor(ends)]
        final[ends], stopped[ends] = mean[ends], epoch
        running &= ~ends
        if not running.any():
            break
    for p, f in zip(parameters, frozen, strict=True):
        p.data = f
    return final, stopped


def _forward(parameters: list[Tensor], x: Tensor, slope: float) -> Tensor:
    for w, b in zip(parameters[0::2], parameters[1::2], strict=True):
        x = torch.nn.functional.leaky_relu(torch.baddbmm(b[:, None], x, w.transpose(1, 2)), slope)
    return x


def _slice(parameters: list[Tensor], i: int, slope: float) -> BooleanNet:
    arrays = [p.detach()[i].numpy().astype(np.float64) for p in parameters]
    return BooleanNet(tuple(arrays[0::2]), tuple(arrays[1::2]), slope)


def _finish(net, names, seed, loss, epochs, tables, recipe: Recipe) -> TrainedNet:
    outputs: Float[np.ndarray, "row output"] = leaky(
        activations(net, input_rows(net.widths[0]))[-1], net.slope
    )
    accuracy = float((np.round(outputs) == tables.T).all(axis=1).mean())
    converged = accuracy >= 0.99 and bool(loss <= recipe.loss_target)
    return TrainedNet(net, names, int(seed), float(loss), accuracy, int(epochs), converged)
