"""A question with a count for an answer: which circuits of a net pass a criterion.

Everything is reduced to a box: circuit C is valid when, on every row, its output pre-activation s
satisfies low <= s <= high. Ablations differ only in what a removed edge carries (`fill`);
interchange ablation has one row per (base, source) pair of inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.identifiability.nets.boolean_net import BooleanNet, activations, run_circuits
from circuitvar.audit.identifiability.nets.types import NET_ABLATIONS, Criterion, NetAblation
from circuitvar.tasks.language import input_rows, truth_table
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.shown import Shown


@dataclass(frozen=True, eq=False, repr=False)
class Question(Shown):
    """Net, rows, what a removed edge carries, and the box that makes a circuit valid."""

    net: BooleanNet
    rows: Float[np.ndarray, "row input"]
    labels: Int[np.ndarray, " row"]
    fill: tuple[Float[np.ndarray, "row _unit"], ...]
    """Per layer, what a removed edge carries: zeros, the full net's means, or its values on the
    source row."""
    low: Float[np.ndarray, " row"]
    high: Float[np.ndarray, " row"]
    criterion: Criterion
    ablation: NetAblation

    def _facts(self) -> Mapping[str, object]:
        facts = {"widths": self.net.widths, "rows": len(self.rows)}
        return facts | {"criterion": self.criterion.title, "ablation": self.ablation}


def pose(
    net: BooleanNet,
    gate: str | Sequence[int],
    *,
    criterion: Criterion | None = None,
    ablation: NetAblation = "zero",
    rows: Float[np.ndarray, "row input"] | None = None,
) -> Question:
    """Set up the question "which circuits of `net` pass `criterion` under `ablation`?".

    `gate` is a gate name or a truth table; with `rows` given it is the label of each row, which
    is how noisy or real-valued inputs are audited (keep the clean label next to the noisy row).
    Repeated rows are merged first. Definitions: arXiv 2502.20914 and its released code (`label`
    rule, zero ablation); mean and interchange ablation and `delta` are additions.

    Raises
    ------
    ValueError
        Wrong number of rows, more than one output, unknown ablation, negative delta.

    >>> net = BooleanNet((np.eye(1), np.eye(1)), (np.zeros(1), np.zeros(1)))
    >>> pose(net, [0, 1]).high.tolist()[0]
    0.5
    """
    criterion = criterion or Criterion()
    if net.widths[-1] != 1:
        raise ValueError(f"the net has {net.widths[-1]} outputs; split_outputs first")
    if ablation not in NET_ABLATIONS:
        raise unknown("ablation", ablation, NET_ABLATIONS)
    x, y = _distinct_rows(net.widths[0], gate, rows)
    full = activations(net, x)
    low, high = _box(criterion, y, full[-1][:, 0], net.slope)
    if ablation == "interchange":
        base, source = (i.ravel() for i in np.indices((len(x), len(x))))
        fill = tuple(layer[source] for layer in full[:-1])
        return Question(net, x[base], y[base], fill, low[base], high[base], criterion, ablation)
    scale = 1.0 if ablation == "mean" else 0.0
    fill = tuple(np.broadcast_to(scale * a.mean(axis=0), a.shape).copy() for a in full[:-1])
    return Question(net, x, y, fill, low, high, criterion, ablation)


def _distinct_rows(n_inputs: int, gate: str | Sequence[int], rows: np.ndarray | None):
    if rows is None:
        y = truth_table(gate)
        if len(y) != 2**n_inputs:
            raise ValueError(
                f"a net with {n_inputs} inputs needs {2**n_inputs} labels; got {len(y)}"
            )
        return input_rows(n_inputs), y
    x, y = np.asarray(rows, dtype=np.float64), np.asarray(gate)
    if isinstance(gate, str) or x.ndim != 2 or x.shape[1] != n_inputs or y.shape != x.shape[:1]:
        raise ValueError(
            f"rows {x.shape} need {n_inputs} columns and one 0/1 label each; got labels {y.shape}"
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError("labels must be 0 or 1; keep the clean label next to each noisy row")
    merged = np.unique(np.column_stack([x, y]), axis=0)
    return merged[:, :-1], merged[:, -1].astype(np.int64)


def _box(criterion: Criterion, labels: np.ndarray, full: np.ndarray, slope: float):
    if criterion.key == "delta":
        if not criterion.delta >= 0:
            raise ValueError(f"delta must be 0 or more; got {criterion.delta}")
        # Sums taken in another order differ in the last bits; the full net must pass at delta 0.
        delta = criterion.delta + 1e-12 * np.maximum(1.0, np.abs(full))
        if criterion.at == "pre-activation":
            return full - delta, full + delta
        out = np.where(full > 0, full, slope * full)
        return _invert(out - delta, slope), _invert(out + delta, slope)
    one = labels == 1
    if criterion.key == "threshold":
        return np.where(one, np.nextafter(0.5, 1), -np.inf), np.where(one, np.inf, 0.5)
    if criterion.key != "label":
        raise unknown("criterion", criterion.key, ("label", "threshold", "delta"))
    # Half to even: 0.5 rounds to 0 and 1.5 to 2, so label 1 is the open interval.
    low = np.where(one, np.nextafter(0.5, 1), _invert(np.array(-0.5), slope))
    return low, np.where(one, np.nextafter(1.5, 1), 0.5)


def _invert(out: np.ndarray, slope: float) -> np.ndarray:
    """Pre-activation whose LeakyReLU is `out`; a slope of 0 maps every negative value there."""
    if slope == 0:
        return np.where(out > 0, out, -np.inf)
    return np.where(out > 0, out, out / slope)


def is_valid(
    question: Question, kept: Bool[np.ndarray, "circuit edge"]
) -> Bool[np.ndarray, " circuit"]:
    """Whether each circuit passes the criterion, by running it."""
    out = run_circuits(question.net, kept, question.rows, question.fill)[-1][..., 0]
    return np.asarray(((out >= question.low) & (out <= question.high)).all(axis=1))
