"""Exact number of valid circuits, by size and by active nodes, hence in every space at once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import comb, log2

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability import nets
from circuitvar.audit.identifiability.count.branch_and_count import Cylinders, valid_cylinders
from circuitvar.tasks.shown import Shown


@dataclass(frozen=True, eq=False, repr=False)
class ValidCounts(Shown):
    """Number of valid circuits by (active edges, active hidden nodes). All exact."""

    question: nets.Question
    table: nets.Distribution

    def count(self, space: nets.Space = "whole") -> nets.Count:
        """Valid circuits in one space."""
        value = sum(self.by_size(space).values())
        return nets.Count("valid circuits", value, "exact", space, how="branch and count")

    def counts(self) -> tuple[nets.Count, ...]:
        """Valid circuits in every space, the whole one first: never print only one."""
        return tuple(self.count(space) for space in nets.SPACES)

    def by_size(self, space: nets.Space = "whole") -> Mapping[int, int]:
        """Active edges (output edges included) -> number of valid circuits."""
        return nets.by_edges(self.table, space, self.question.net.widths)

    def smallest(self, space: nets.Space = "whole") -> tuple[int, nets.Count]:
        """Fewest edges a valid circuit has, and how many valid circuits have that few.

        Raises
        ------
        ValueError
            No circuit is valid.
        """
        sizes = self.by_size(space)
        if not sizes:
            asked = self.question
            raise ValueError(
                f"no circuit in the {space} space meets the criterion ({asked.criterion.title}, "
                f"{asked.ablation} ablation); loosen it or check that the net solves the task"
            )
        size = min(sizes)
        count = nets.Count("smallest circuits", sizes[size], "exact", space, how="branch and count")
        return size, count

    def share_bits(self, space: nets.Space = "whole") -> float:
        """log2(N_valid) / log2(N_all): 0 = unique, 1 = everything fits; NaN when nothing does."""
        n = self.count(space).value
        total = nets.count_topologies(self.question.net.widths, space)
        return log2(n) / log2(total) if n > 0 and total > 1 else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """One row per space: count, bits, share_bits."""
        rows = [(c.space, c.value, c.bits, self.share_bits(c.space)) for c in self.counts()]
        return pd.DataFrame(rows, columns=["space", "count", "bits", "share_bits"])

    def _facts(self) -> Mapping[str, object]:
        return {f"valid, {count.space}": f"{count.value:,}" for count in self.counts()}

    def _details(self) -> Mapping[str, object]:
        asked = self.question
        return {"criterion": asked.criterion.title, "ablation": asked.ablation}


def count_valid(question: nets.Question) -> ValidCounts:
    """Count the valid circuits exactly, in the whole space and in the released code's.

    A cylinder with m free neurons, a parents and u of them still unused holds
    F(u, a, m) = sum_t (-1)^t C(u, t) 2^((a-t) m) circuits; by size and active nodes the same sum
    runs over polynomials with f_M(z, w) = 1 + w z ((1+z)^M - 1) per free neuron.

    Raises
    ------
    ValueError
        Too many edge choices before the last hidden layer (use `estimate_valid`).

    >>> from circuitvar.audit.identifiability.nets.boolean_net import make_net
    >>> from circuitvar.audit.identifiability.nets import pose
    >>> identity = make_net([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    >>> [c.value for c in count_valid(pose(identity, [0, 1])).counts()]
    [1, 0, 0]
    """
    table: Counter[tuple[int, int]] = Counter()
    for families in valid_cylinders(question):
        for (edges, active, unused, a, m), n in _group(families).items():
            for (more_edges, more_active), ways in completions(unused, a, m).items():
                table[edges + more_edges, active + more_active] += n * ways
    return ValidCounts(question, {k: v for k, v in table.items() if v})


def _group(families: Cylinders) -> dict[tuple[int, ...], int]:
    """Number of families per (edges, active nodes, unused parents, parents, free neurons)."""
    a = families.prefixes.n_parents
    unused = a - np.bitwise_count(families.covered).astype(np.int64)
    # Tallies are sparse (active nodes sit 16 bits up): pack them together before counting.
    edges, active = families.tally & 0xFFFF, families.tally >> 16
    shape = (int(edges.max()) + 1, int(active.max()) + 1, a + 1)
    n = np.bincount(np.ravel_multi_index((edges, active, unused), shape))
    found = np.flatnonzero(n)
    columns = (part.tolist() for part in (*np.unravel_index(found, shape), n[found]))
    return {(*key, a, families.free): k for *key, k in zip(*columns, strict=True)}


def completions_total(unused: int, parents: int, free: int) -> int:
    """F(u, a, m) = 2^((a-u) m) (2^m - 1)^u: parent choices of m neurons that use all u.

    >>> completions_total(1, 2, 1), completions_total(0, 2, 0), completions_total(1, 2, 0)
    (2, 1, 0)
    """
    return 2 ** ((parents - unused) * free) * (2**free - 1) ** unused


@lru_cache(maxsize=4096)
def completions(unused: int, parents: int, free: int) -> nets.Distribution:
    """The same number by (edges, active neurons) that the free neurons add."""
    out: Counter[tuple[int, int]] = Counter()
    for t in range(unused + 1):
        for key, n in _free_neurons(parents - t, free).items():
            out[key] += (-1) ** t * comb(unused, t) * n
    return {k: v for k, v in out.items() if v}


@lru_cache(maxsize=4096)
def _free_neurons(parents: int, free: int) -> nets.Distribution:
    if free == 0:
        return {(0, 0): 1}
    out: Counter[tuple[int, int]] = Counter()
    for (edges, active), n in _free_neurons(parents, free - 1).items():
        out[edges, active] += n
        for ones in range(1, parents + 1):
            out[edges + ones + 1, active + 1] += n * comb(parents, ones)
    return out
