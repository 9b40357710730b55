"""Exact enumeration of valid circuits by branch and bound over the last hidden layer.

Earlier layers are listed edge by edge. Each neuron of the last hidden layer then picks a set of
parents (or none: off) and adds a fixed vector to the output, so validity is a multiple-choice sum
inside a box. A branch stops when no completion can be valid, or when every completion is: such a
family of circuits is a cylinder, and all counts are closed forms over disjoint cylinders.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.identifiability.nets import Question, leaky

MAX_PREFIXES = 2**18
BLOCK = 2**18
"""Branches expanded at once; about 2 MB per row array, so that it stays in cache."""


@dataclass(frozen=True, eq=False)
class Prefixes:
    """Every way to keep edges of all hidden layers but the last.

    All have the same number `n_parents` of active parents for the last hidden layer.
    """

    kept: Bool[np.ndarray, "prefix edge"]
    """Columns of the edges before the last hidden layer."""
    active: Int[np.ndarray, " prefix"]
    """Active hidden nodes among them."""
    parents: Int[np.ndarray, "prefix parent"]
    """Which units feed the last hidden layer."""
    values: Float[np.ndarray, "prefix parent row"]
    n_parents: int


PER_PREFIX = ("kept", "active", "parents", "values")


@dataclass(frozen=True, eq=False)
class Cylinders:
    """Families of valid circuits: decided neurons are fixed, the others take any parents.

    The `free` last ones in `order` have to use every parent that is not yet `covered`.
    """

    prefixes: Prefixes
    order: Int[np.ndarray, "prefix neuron"]
    free: int
    prefix: Int[np.ndarray, " family"]
    choices: Int[np.ndarray, " family"]
    """Parent sets of decided neurons, `n_parents` bits each, first decided lowest."""
    covered: Int[np.ndarray, " family"]
    """Bit set of parents already used."""
    tally: Int[np.ndarray, " family"]
    """Active edges + 2^16 * active hidden nodes decided so far."""


def hidden_prefixes(question: Question) -> tuple[Prefixes, ...]:
    """All edge choices before the last hidden layer, grouped by number of active parents.

    Raises
    ------
    ValueError
        More than 2^18 of them; use an estimator there.
    """
    net, widths = question.net, question.net.widths
    kept = np.zeros((1, 0), dtype=bool)
    on = np.ones((1, widths[0]), dtype=bool)
    hidden = np.zeros(1, dtype=np.int64)
    values = question.rows.T[None]
    for layer in range(len(widths) - 3):
        pattern = _matrices(widths[layer + 1], widths[layer], len(on))
        parts = []
        for i in range(len(on)):
            # A parent is used exactly when it is active.
            fits = (pattern.any(axis=1) == on[i]).all(axis=1)
            chosen = pattern[fits]
            pre = (
                net.biases[layer][:, None]
                + net.weights[layer] @ question.fill[layer].T
                + (chosen * net.weights[layer]) @ (values[i] - question.fill[layer].T)
            )
            alive = chosen.any(axis=2)
            before = np.repeat(kept[i : i + 1], len(chosen), 0)
            edges = np.column_stack([before, chosen.reshape(len(chosen), -1)])
            parts.append((edges, alive, hidden[i] + alive.sum(axis=1), leaky(pre, net.slope)))
        kept, on, hidden, values = (np.concatenate(p) for p in zip(*parts, strict=True))
    return tuple(_group(kept, on, hidden, values, n) for n in np.unique(on.sum(axis=1)))


def _group(kept, on, hidden, values, n: int) -> Prefixes:
    rows = np.flatnonzero(on.sum(axis=1) == n)
    parents = np.nonzero(on[rows])[1].reshape(len(rows), n)
    return Prefixes(kept[rows], hidden[rows], parents, values[rows[:, None], parents], int(n))


def _matrices(dst: int, src: int, prefixes: int) -> np.ndarray:
    if 2 ** (dst * src) * prefixes > MAX_PREFIXES:
        raise ValueError(
            f"a {dst} x {src} layer has 2^{dst * src} edge choices on top of {prefixes} before it; "
            f"exact counting stops at {MAX_PREFIXES}, use estimate_valid"
        )
    bits = np.arange(2 ** (dst * src))[:, None] >> np.arange(dst * src)
    return (bits & 1).astype(bool).reshape(-1, dst, src)


def valid_cylinders(
    question: Question, *, closed: bool = True, max_edges: int | None = None
) -> Iterator[Cylinders]:
    """Valid circuits as disjoint families, in a fixed order.

    `closed=False` lists them one by one (no free neurons). `max_edges` keeps only circuits with
    at most that many edges and implies `closed=False`.

    Raises
    ------
    ValueError
        Too many edge choices before the last hidden layer; packed choices over 62 bits.
    """
    closed = closed and max_edges is None
    parents, neurons = question.net.widths[-3:-1]
    if parents * neurons > 62:
        raise ValueError(
            f"{neurons} neurons with {parents} parents need more than 62 bits; use estimate_valid"
        )
    for prefixes in hidden_prefixes(question):
        size = max(1, BLOCK // (neurons * 2**prefixes.n_parents))
        for at in range(0, len(prefixes.parents), size):
            some = {k: getattr(prefixes, k)[at : at + size] for k in PER_PREFIX}
            part = replace(prefixes, **some)
            yield from _Branching(question, part, closed, max_edges).run()


Families = tuple[np.ndarray, ...]
"""The last four fields of `Cylinders`."""


class _Branching:
    """Tables and bounds of one group of prefixes; `run` walks the tree."""

    def __init__(
        self, question: Question, prefixes: Prefixes, closed: bool, max_edges: int | None
    ) -> None:
        self.prefixes, self.closed, self.max_edges = prefixes, closed, max_edges
        self.neurons = question.net.widths[-2]
        gain = _contributions(question, prefixes)
        spread = (gain.max(axis=2) - gain.min(axis=2)).sum(axis=2)
        self.order = np.argsort(-spread, axis=1, kind="stable")
        gain = np.take_along_axis(gain, self.order[:, :, None, None], axis=1)
        smallest, largest = gain.min(axis=2), gain.max(axis=2)
        # Least and most that the neurons from j on can still add.
        after = np.zeros((2, len(gain), self.neurons + 1, gain.shape[3]))
        after[:, :, :-1] = np.cumsum(np.stack([smallest, largest])[:, :, ::-1], axis=2)[:, :, ::-1]
        self.gain = np.ascontiguousarray(np.moveaxis(gain, (1, 3), (0, 1)))  # neuron row prefix set
        low, high = question.low[:, None, None], question.high[:, None, None]
        # On (row, neuron, prefix): partial sums outside [reject] cannot become valid, partial
        # sums inside [accept] cannot become invalid.
        least, most = np.ascontiguousarray(after.transpose(0, 3, 2, 1))
        self.reject_low, self.reject_high = low - most, high - least
        self.accept_low, self.accept_high = low - least, high - most
        self.sets = np.arange(2**prefixes.n_parents)
        self.set_tally = np.bitwise_count(self.sets) + (self.sets > 0) * (1 + 2**16)
        self.start = question.net.biases[-1][0] + question.fill[-1] @ question.net.weights[-1][0]

    def run(self) -> Iterator[Cylinders]:
        n = len(self.prefixes.parents)
        zero = np.zeros(n, dtype=np.int64)
        tally = self.prefixes.kept.sum(axis=1) + 2**16 * self.prefixes.active
        sums = np.repeat(self.start[:, None], n, axis=1)
        yield from self._expand(0, sums, (np.arange(n), zero, zero, tally))

    def _expand(self, j: int, sums: np.ndarray, families: Families) -> Iterator[Cylinders]:
        step = max(1, BLOCK // len(self.sets))
        for at in range(0, sums.shape[1], step):
            some = tuple(part[at : at + step] for part in families)
            yield from self._expand_piece(j, sums[:, at : at + step], some)

    def _expand_piece(self, j: int, sums: np.ndarray, families: Families) -> Iterator[Cylinders]:
        prefix, _, covered, tally = families
        free = self.neurons - j - 1
        alive = np.ones((len(prefix), len(self.sets)), dtype=bool)
        if free == 0:
            alive &= (covered[:, None] | self.sets) == len(self.sets) - 1
        if self.max_edges is not None:
            alive &= ((tally[:, None] + self.set_tally) & 0xFFFF) <= self.max_edges
        sure = np.ones_like(alive) if self.closed else None
        new = np.empty((len(sums), *alive.shape))
        for r in range(len(sums)):
            t = np.take(self.gain[j, r], prefix, axis=0)
            t += sums[r][:, None]
            new[r] = t
            alive &= t >= self.reject_low[r, j + 1][prefix][:, None]
            alive &= t <= self.reject_high[r, j + 1][prefix][:, None]
            if sure is not None:
                sure &= t >= self.accept_low[r, j + 1][prefix][:, None]
                sure &= t <= self.accept_high[r, j + 1][prefix][:, None]
        if free == 0:
            done = alive
        else:
            done = alive & sure if sure is not None else np.zeros_like(alive)
        if done.any():
            yield Cylinders(self.prefixes, self.order, free, *self._chosen(done, j, families)[0])
        if free == 0:
            return
        more, at = self._chosen(alive & ~done, j, families)
        if len(at[0]):
            yield from self._expand(j + 1, new[:, *at], more)

    def _chosen(self, where: np.ndarray, j: int, families: Families):
        """The families whose neuron `j` takes a set of parents, and their places in `where`."""
        prefix, choices, covered, tally = families
        f, s = at = np.nonzero(where)
        picked = choices[f] | (s << (j * self.prefixes.n_parents))
        return (prefix[f], picked, covered[f] | s, tally[f] + self.set_tally[s]), at


def _contributions(question: Question, prefixes: Prefixes) -> np.ndarray:
    """What each neuron adds to the output for each set of parents: (prefix, neuron, set, row)."""
    net = question.net
    w, b, out = net.weights[-2], net.biases[-2], net.weights[-1][0]
    fill = question.fill[-2]
    n, a = prefixes.parents.shape
    # Every edge removed, then one parent after the other put back.
    pre = np.broadcast_to((b + fill @ w.T).T[None, :, None, :], (n, len(b), 1, len(fill)))
    for bit in range(a):
        parent = prefixes.parents[:, bit]
        step = w.T[parent][:, :, None] * (prefixes.values[:, bit] - fill.T[parent])[:, None, :]
        pre = np.concatenate([pre, pre + step[:, :, None, :]], axis=2)
    gain = (leaky(pre, net.slope) - question.fill[-1].T[None, :, None, :]) * out[
        None, :, None, None
    ]
    gain[:, :, 0] = 0.0
    return gain
