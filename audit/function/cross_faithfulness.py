"""Agreement of function beside agreement of structure: every circuit on every data set.

Two circuits with few common edges that serve each other's data equally well do the same job; two
that do not are different, or noise. The callable runs the model; this file only does arithmetic.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.intervals import group_jackknife
from circuitvar.audit.types import Estimate
from circuitvar.circuits.types import Faithfulness
from circuitvar.tasks.units import use_templates

C = TypeVar("C")
D = TypeVar("D")


@dataclass(frozen=True, eq=False)
class CrossFaithfulness:
    """Faithfulness of circuit `row` on data set `column`."""

    circuits: tuple[str, ...]
    datasets: tuple[str, ...]
    value: Float[np.ndarray, "circuit dataset"]
    """(m(C) - m(empty)) / (m(full) - m(empty)), ratio of means."""
    retained: tuple[Estimate, ...]
    """For every circuit on every data set of another circuit: its faithfulness over that of the
    data set's own circuit, paired over examples."""

    def frame(self) -> pd.DataFrame:
        """Tidy: circuit, dataset, faithfulness."""
        rows = [
            (c, d, float(self.value[i, j]))
            for i, c in enumerate(self.circuits)
            for j, d in enumerate(self.datasets)
        ]
        return pd.DataFrame(rows, columns=["circuit", "dataset", "faithfulness"])

    @property
    def worst(self) -> Estimate:
        """The retained share with the lowest lower end: what a claim of equal function must
        survive."""
        if not self.retained:
            raise ValueError("no circuit ran on another circuit's data set; name them alike")
        return min(self.retained, key=lambda e: e.low if np.isfinite(e.low) else -np.inf)


def cross_faithfulness(
    circuits: Mapping[str, C],
    datasets: Mapping[str, D],
    run: Callable[[C, D], Faithfulness],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
) -> CrossFaithfulness:
    """Run every circuit on every data set. A circuit and a data set with the same name belong
    together: the circuit was found on that data.

    Retained share of A on B: (mean m(A) - mean empty) / (mean m(B) - mean empty) on B's examples,
    with a delete-a-group jackknife over them. Faithfulness near 0 of the own circuit makes the
    share meaningless: it is then NaN.
    """
    value = np.full((len(circuits), len(datasets)), np.nan)
    retained = []
    for j, (name, data) in enumerate(datasets.items()):
        results = {key: run(circuit, data) for key, circuit in circuits.items()}
        value[:, j] = [result.value for result in results.values()]
        if name not in results:
            continue
        own = results[name]
        for key, other in results.items():
            if key != name:
                retained.append(_retained(other, own, f"{key} on {name}", rng=rng, level=level))
    return CrossFaithfulness(tuple(circuits), tuple(datasets), value, tuple(retained))


def _retained(other, own, label: str, *, rng, level) -> Estimate:
    top = np.asarray(other.circuit - other.empty, dtype=np.float64)
    bottom = np.asarray(own.circuit - own.empty, dtype=np.float64)
    noise = bottom.std(ddof=1) / np.sqrt(len(bottom)) if len(bottom) > 1 else np.inf
    name = f"retained faithfulness, {label}"
    if abs(bottom.mean()) < 2 * noise:
        return Estimate(name, np.nan, level=level, interval="none: own circuit near 0")
    (found,) = group_jackknife(
        lambda w: np.array([w @ top / (w @ bottom)]),
        len(top),
        names=(name,),
        clusters=use_templates(own.templates),
        rng=rng,
        level=level,
        estimand="share of the own circuit's faithfulness",
    )
    return found
