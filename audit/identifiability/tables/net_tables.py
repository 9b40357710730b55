"""All identifiability numbers of one trained net, as tidy rows.

Every row of `counts` names the quantity, the criterion, the ablation and the space, and says
whether the number is exact, an estimate with its interval, or a lower bound.
"""

from collections.abc import Sequence
from math import log2

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability.count import (
    EXACT_WIDTH,
    MAX_EDGES,
    NetOptions,
    all_topologies,
    check_options,
    count_by,
    count_minimal,
    count_valid,
    edge_marginals,
    estimate_strict,
    inclusion_minimal,
    is_strict,
    list_strict,
    list_valid,
    only_in_space,
    resolve,
    sample_valid,
)
from circuitvar.audit.identifiability.explain import (
    Swaps,
    count_interpretations,
    list_algorithms,
    minimal_mappings,
)
from circuitvar.audit.identifiability.nets import (
    SPACES,
    BooleanNet,
    Count,
    Criterion,
    Question,
    count_topologies,
    edge_names,
    is_valid,
    pose,
)
from circuitvar.audit.identifiability.reruns import found_circuit, overlap_rows

Frames = dict[str, pd.DataFrame]
HEIGHT = 3
"""Tallest algorithm tried: XOR has 56 to 132 of them, and over 7,000 one level up."""
READ_ALL = 20_000
"""Most valid circuits whose interpretations are all counted."""


def net_tables(
    net: BooleanNet,
    gate: str | Sequence[int],
    *,
    options: NetOptions | None = None,
    rng: np.random.Generator,
) -> Frames:
    """Frames `counts`, `tolerance`, `sizes`, `edges`, `overlap`, `found` of a single-output net.

    >>> from circuitvar.audit.identifiability.nets.boolean_net import make_net
    >>> copy = make_net([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    >>> frames = net_tables(copy, [0, 1], rng=np.random.default_rng(0))
    >>> frames["counts"].query("quantity == 'valid circuits'").value.unique().tolist()
    [1.0, 0.0]
    """
    options = options or NetOptions()
    check_options(options, net.widths)
    frames: dict[str, list[dict]] = {
        k: [] for k in ("counts", "tolerance", "sizes", "edges", "overlap", "found")
    }
    exact = resolve(options.estimator, net.widths) == "exact"
    for ablation in options.ablations:
        question = pose(net, gate, criterion=options.criterion, ablation=ablation)
        if options.iia:
            _strict(question, options, frames, exact, rng)
        elif exact:
            _exact(question, options, frames, rng)
        else:
            counts = count_by(question, options.estimator, draws=options.draws, rng=rng)
            frames["counts"] += [_row(count, question) for count in counts]
        _tolerance(question, gate, options, frames, exact, rng)
    if exact and not options.iia and {"zero", "mean"} <= set(options.ablations):
        frames["counts"] += _under_both(net, gate, options.criterion)
    if options.mappings:
        frames["counts"] += _mapping_rows(net, gate, options)
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


def _row(count: Count, question: Question, **more: object) -> dict:
    total = count_topologies(question.net.widths, count.space)
    value = float(count.value)
    return {
        "quantity": count.name,
        "criterion": question.criterion.title,
        "ablation": question.ablation,
        "space": count.space,
        "value": value,
        "known": count.known,
        "low": count.low,
        "high": count.high,
        "level": count.level,
        "n": count.n,
        "bits": count.bits,
        "space_bits": log2(total) if total else float("nan"),
        "how": count.how,
        **more,
    }


def _exact(question: Question, options: NetOptions, frames: dict, rng) -> None:
    counted = count_valid(question)
    rows = frames["counts"]
    rows += [_row(c, question) for c in counted.counts()]
    for space in SPACES:
        frames["sizes"] += [
            {"ablation": question.ablation, "space": space, "edges": e, "valid": float(n)}
            for e, n in counted.by_size(space).items()
        ]
    whole = int(counted.count().value)
    if whole == 0:
        return
    size, smallest = counted.smallest()
    rows += [_row(smallest, question), _plain("smallest size", size, question)]
    rows.append(_row(count_minimal(question, limit=500_000), question))
    marginals = edge_marginals(question)
    frames["edges"] += _edge_rows(question, marginals.inclusion)
    rows.append(_plain("backbone edges", int(marginals.backbone.sum()), question))
    rows.append(_plain("union edges", int(marginals.union.sum()), question))
    if options.samples:
        frames["overlap"] += overlap_rows(question, valid=whole, samples=options.samples, rng=rng)
        frames["found"] += found_circuit(question)
    if question.ablation != "interchange":
        rows += _agreement(question)
        if options.interpretations:
            rows += _interpretations(question, whole, rng)


def _plain(name: str, value: float, question: Question, **more: object) -> dict:
    count = Count(name, value, "exact", how="counted")
    return _row(count, question, bits=float("nan"), **more)


def _strict(question: Question, options: NetOptions, frames: dict, exact: bool, rng) -> None:
    """Circuits that are valid and have an interchange agreement of 1, one by one or by draws."""
    name = {"criterion": options.title}
    kept = list_strict(question) if exact else None
    if kept is None:
        if options.estimator == "exact":
            raise ValueError(
                "too many valid circuits to run interventions on each; "
                "use the estimator auto or monte-carlo"
            )
        counts = estimate_strict(question, n=options.draws, rng=rng)
        frames["counts"] += [_row(count, question, **name) for count in counts]
        return
    counts = []
    for space in SPACES:
        sizes = only_in_space(question, kept, space).sum(axis=1)
        counts.append(Count("valid circuits", len(sizes), "exact", space, how="listed"))
        frames["sizes"] += [
            {"ablation": question.ablation, "space": space, "edges": int(e), "valid": float(n)}
            for e, n in zip(*np.unique(sizes, return_counts=True), strict=True)
        ]
    if len(kept):
        sizes = kept.sum(axis=1)
        smallest, minimal = int((sizes == sizes.min()).sum()), len(inclusion_minimal(kept))
        counts.append(Count("smallest circuits", smallest, "exact", how="listed"))
        counts.append(Count("inclusion-minimal circuits", minimal, "exact", how="listed"))
        frames["counts"] += [
            _plain("smallest size", int(sizes.min()), question, **name),
            _plain("backbone edges", int(kept.all(axis=0).sum()), question, **name),
            _plain("union edges", int(kept.any(axis=0).sum()), question, **name),
        ]
        frames["edges"] += _edge_rows(question, kept.mean(axis=0))
    frames["counts"] += [_row(count, question, **name) for count in counts]


def _edge_rows(question: Question, inclusion: np.ndarray) -> list[dict]:
    names = edge_names(question.net.widths)
    return [
        {"ablation": question.ablation, "edge": name, "inclusion": float(p)}
        for name, p in zip(names, inclusion, strict=True)
    ]


def _agreement(question: Question) -> list[dict]:
    """Valid circuits that also agree under interchange interventions; brute force sizes only."""
    if question.net.n_edges > MAX_EDGES:
        return []
    every = all_topologies(question.net.widths)
    strict = every[is_strict(question, every)]
    return [
        _row(
            Count("valid circuits, IIA 1", len(only_in_space(question, strict, s)), "exact", s),
            question,
        )
        for s in SPACES
    ]


def _interpretations(question: Question, valid: int, rng) -> list[dict]:
    if max(question.net.widths[1:-1]) > 3 or valid > READ_ALL:
        kept = sample_valid(question, 20, rng=rng)
        per = count_interpretations(question, kept)
        rows = []
        for kind in ("completed", "open"):
            values = [float(getattr(one, kind)) for one in per]
            count = Count(
                f"interpretations per circuit, median ({kind})",
                float(np.median(values)),
                "estimate",
                low=min(values),
                high=max(values),
                level=float("nan"),
                n=len(kept),
                how="uniform valid circuits; low and high are the range",
            )
            rows.append(_row(count, question))
        return rows
    kept = list_valid(question)
    rows = []
    for space in SPACES:
        per = count_interpretations(question, only_in_space(question, kept, space))
        for kind in ("completed", "open"):
            value = sum(getattr(one, kind) for one in per)
            count = Count(f"interpretations ({kind})", value, "exact", space, how="layer pass")
            rows.append(_row(count, question))
    return rows


def _tolerance(question, gate, options: NetOptions, frames: dict, exact: bool, rng) -> None:
    for delta in options.deltas:
        near = pose(
            question.net, gate, criterion=Criterion("delta", delta), ablation=question.ablation
        )
        if exact:
            counts = count_valid(near).counts()
        else:
            draws = max(1, options.draws // 4)
            counts = count_by(near, options.estimator, draws=draws, spaces=("whole",), rng=rng)[:1]
        frames["tolerance"] += [_row(c, near, delta=delta) for c in counts]


def _under_both(net: BooleanNet, gate, criterion: Criterion) -> list[dict]:
    zero, mean = (pose(net, gate, criterion=criterion, ablation=a) for a in ("zero", "mean"))
    if count_valid(zero).count().value > 500_000:
        return []
    kept = list_valid(zero)
    n = int(is_valid(mean, kept).sum())
    row = _row(Count("valid under zero and mean ablation", n, "exact", how="listed"), zero)
    return [{**row, "ablation": "zero and mean"}]


def _mapping_rows(net: BooleanNet, gate, options: NetOptions) -> list[dict]:
    """Algorithms with a valid mapping and minimal mappings, per variant of the test."""
    if max(net.widths[1:-1]) > EXACT_WIDTH or net.widths[0] > 2:
        return []
    swaps, rows = Swaps(net), []
    height = min(len(net.widths) - 1, HEIGHT)
    for variant in options.variants:
        kind = "paper" if variant == "paper" else "complete"
        algorithms = list_algorithms(gate, height=height, variant=kind)
        number = [len(minimal_mappings(swaps, a, variant=variant)) for a in algorithms]
        for name, value in (
            ("algorithms tested", len(algorithms)),
            ("algorithms aligned", sum(n > 0 for n in number)),
            ("minimal mappings", sum(number)),
        ):
            rows.append(
                {
                    "quantity": name,
                    "criterion": f"IIA 1, {variant}",
                    "ablation": "none",
                    "space": "neuron sets",
                    "value": float(value),
                    "known": "exact",
                    "how": f"enumerated, trees up to height {height}",
                }
            )
    return rows
