"""All identifiability numbers of one trained net, as tidy rows.

Every row of `counts` names the quantity, the criterion, the ablation and the space, and says
whether the number is exact, an estimate with its interval, or a lower bound.
"""

from collections.abc import Mapping, Sequence
from math import log2

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability import count, explain, nets
from circuitvar.audit.identifiability.reruns import found_circuit, overlap_rows

Frames = dict[str, pd.DataFrame]
HEIGHT = 3
"""Tallest algorithm tried: XOR has 56 to 132 of them, and over 7,000 one level up."""
READ_ALL = 20_000
"""Most valid circuits whose interpretations are all counted."""


def net_tables(
    net: nets.BooleanNet,
    gate: str | Sequence[int],
    *,
    options: count.NetOptions | None = None,
    rng: np.random.Generator,
) -> Frames:
    """Frames `counts`, `tolerance`, `sizes`, `edges`, `overlap`, `found` of a single-output net.

    >>> from circuitvar.audit.identifiability.nets.boolean_net import make_net
    >>> copy = make_net([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    >>> frames = net_tables(copy, [0, 1], rng=np.random.default_rng(0))
    >>> frames["counts"].query("quantity == 'valid circuits'").value.unique().tolist()
    [1.0, 0.0]
    """
    options = options or count.NetOptions()
    count.check_options(options, net.widths)
    frames: dict[str, list[dict]] = {
        k: [] for k in ("counts", "tolerance", "sizes", "edges", "overlap", "found")
    }
    exact = count.resolve(options.estimator, net.widths) == "exact"
    for ablation in options.ablations:
        question = nets.pose(net, gate, criterion=options.criterion, ablation=ablation)
        if options.iia:
            _strict(question, options, frames, exact, rng)
        elif exact:
            _exact(question, options, frames, rng)
        else:
            counts = count.count_by(question, options.estimator, draws=options.draws, rng=rng)
            frames["counts"] += [_row(number, question) for number in counts]
        _tolerance(question, gate, options, frames, exact, rng)
    if exact and not options.iia and {"zero", "mean"} <= set(options.ablations):
        frames["counts"] += _under_both(net, gate, options.criterion)
    if options.mappings:
        frames["counts"] += _mapping_rows(net, gate, options)
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


def _row(number: nets.Count, question: nets.Question, **more: object) -> dict:
    total = nets.count_topologies(question.net.widths, number.space)
    asked = {"criterion": question.criterion.title, "ablation": question.ablation}
    names = ("known", "low", "high", "level", "n", "bits")
    return {
        "quantity": number.name,
        **asked,
        "space": number.space,
        "value": float(number.value),
        **{name: getattr(number, name) for name in names},
        "space_bits": log2(total) if total else float("nan"),
        "how": number.how,
        **more,
    }


def _plain(name: str, value: float, question: nets.Question, **more: object) -> dict:
    """A number that is no count of explanations, so that its bits mean nothing."""
    return _row(
        nets.Count(name, value, "exact", how="counted"), question, bits=float("nan"), **more
    )


def _size_rows(question: nets.Question, space: nets.Space, sizes: Mapping[int, int]) -> list[dict]:
    names = {"ablation": question.ablation, "space": space}
    return [{**names, "edges": int(e), "valid": float(n)} for e, n in sizes.items()]


def _edge_rows(question: nets.Question, inclusion: np.ndarray) -> list[dict]:
    each = zip(nets.edge_names(question.net.widths), inclusion.tolist(), strict=True)
    return [{"ablation": question.ablation, "edge": name, "inclusion": p} for name, p in each]


def _exact(question: nets.Question, options: count.NetOptions, frames: dict, rng) -> None:
    counted = count.count_valid(question)
    rows = frames["counts"]
    rows += [_row(number, question) for number in counted.counts()]
    for space in nets.SPACES:
        frames["sizes"] += _size_rows(question, space, counted.by_size(space))
    whole = int(counted.count().value)
    if whole == 0:
        return
    size, smallest = counted.smallest()
    marginals = count.edge_marginals(question)
    rows += [
        _row(smallest, question),
        _plain("smallest size", size, question),
        _row(count.count_minimal(question, limit=500_000), question),
        _plain("backbone edges", int(marginals.backbone.sum()), question),
        _plain("union edges", int(marginals.union.sum()), question),
    ]
    frames["edges"] += _edge_rows(question, marginals.inclusion)
    if options.samples:
        frames["overlap"] += overlap_rows(question, valid=whole, samples=options.samples, rng=rng)
        frames["found"] += found_circuit(question)
    if question.ablation != "interchange":
        rows += _agreement(question)
        if options.interpretations:
            rows += [_row(number, question) for number in _interpretations(question, whole, rng)]


def _strict(
    question: nets.Question, options: count.NetOptions, frames: dict, exact: bool, rng
) -> None:
    """Circuits that are valid and have an interchange agreement of 1, one by one or by draws."""
    name = {"criterion": options.title}
    kept = count.list_strict(question) if exact else None
    if kept is None and options.estimator == "exact":
        raise ValueError(
            "too many valid circuits to run interventions on each; "
            "use the estimator auto or monte-carlo"
        )
    if kept is None:
        counts = list(count.estimate_strict(question, n=options.draws, rng=rng))
    else:
        counts = []
        for space in nets.SPACES:
            sizes = count.only_in_space(question, kept, space).sum(axis=1)
            counts.append(nets.Count("valid circuits", len(sizes), "exact", space, how="listed"))
            number_of = dict(zip(*np.unique(sizes, return_counts=True), strict=True))
            frames["sizes"] += _size_rows(question, space, number_of)
    if kept is not None and len(kept):
        sizes = kept.sum(axis=1)
        for what, number in (
            ("smallest circuits", int((sizes == sizes.min()).sum())),
            ("inclusion-minimal circuits", len(count.inclusion_minimal(kept))),
        ):
            counts.append(nets.Count(what, number, "exact", how="listed"))
        frames["counts"] += [
            _plain("smallest size", int(sizes.min()), question, **name),
            _plain("backbone edges", int(kept.all(axis=0).sum()), question, **name),
            _plain("union edges", int(kept.any(axis=0).sum()), question, **name),
        ]
        frames["edges"] += _edge_rows(question, kept.mean(axis=0))
    frames["counts"] += [_row(number, question, **name) for number in counts]


def _agreement(question: nets.Question) -> list[dict]:
    """Valid circuits that also agree under interchange interventions; brute force sizes only."""
    if question.net.n_edges > count.MAX_EDGES:
        return []
    every = count.all_topologies(question.net.widths)
    strict = every[count.is_strict(question, every)]
    name, inside = "valid circuits, IIA 1", count.only_in_space
    found = [nets.Count(name, len(inside(question, strict, s)), "exact", s) for s in nets.SPACES]
    return [_row(number, question) for number in found]


def _interpretations(question: nets.Question, valid: int, rng) -> list[nets.Count]:
    kinds, out = ("completed", "open"), []
    if max(question.net.widths[1:-1]) > 3 or valid > READ_ALL:
        per = explain.count_interpretations(question, count.sample_valid(question, 20, rng=rng))
        how = "uniform valid circuits; low and high are the range"
        for kind in kinds:
            values = [float(getattr(one, kind)) for one in per]
            name, middle = f"interpretations per circuit, median ({kind})", float(np.median(values))
            known = {"low": min(values), "high": max(values), "level": float("nan"), "n": len(per)}
            out.append(nets.Count(name, middle, "estimate", **known, how=how))
        return out
    kept = count.list_valid(question)
    for space in nets.SPACES:
        per = explain.count_interpretations(question, count.only_in_space(question, kept, space))
        for kind in kinds:
            value = sum(getattr(one, kind) for one in per)
            out.append(
                nets.Count(f"interpretations ({kind})", value, "exact", space, how="layer pass")
            )
    return out


def _tolerance(question, gate, options: count.NetOptions, frames: dict, exact: bool, rng) -> None:
    for delta in options.deltas:
        near = nets.pose(
            question.net, gate, criterion=nets.Criterion("delta", delta), ablation=question.ablation
        )
        if exact:
            counts = count.count_valid(near).counts()
        else:
            how = {"draws": max(1, options.draws // 4), "spaces": ("whole",)}
            counts = count.count_by(near, options.estimator, **how, rng=rng)[:1]
        frames["tolerance"] += [_row(c, near, delta=delta) for c in counts]


def _under_both(net: nets.BooleanNet, gate, criterion: nets.Criterion) -> list[dict]:
    zero, mean = (nets.pose(net, gate, criterion=criterion, ablation=a) for a in ("zero", "mean"))
    if count.count_valid(zero).count().value > 500_000:
        return []
    kept = count.list_valid(zero)
    n = int(nets.is_valid(mean, kept).sum())
    row = _row(nets.Count("valid under zero and mean ablation", n, "exact", how="listed"), zero)
    return [{**row, "ablation": "zero and mean"}]


def _mapping_rows(net: nets.BooleanNet, gate, options: count.NetOptions) -> list[dict]:
    """Algorithms with a valid mapping and minimal mappings, per variant of the test."""
    if max(net.widths[1:-1]) > count.EXACT_WIDTH or net.widths[0] > 2:
        return []
    swaps, rows = explain.Swaps(net), []
    height = min(len(net.widths) - 1, HEIGHT)
    for variant in options.variants:
        kind = "paper" if variant == "paper" else "complete"
        algorithms = explain.list_algorithms(gate, height=height, variant=kind)
        number = [len(explain.minimal_mappings(swaps, a, variant=variant)) for a in algorithms]
        asked = {"criterion": f"IIA 1, {variant}", "ablation": "none", "space": "neuron sets"}
        how = f"enumerated, trees up to height {height}"
        for name, value in (
            ("algorithms tested", len(algorithms)),
            ("algorithms aligned", sum(n > 0 for n in number)),
            ("minimal mappings", sum(number)),
        ):
            known = {"value": float(value), "known": "exact", "how": how}
            rows.append({"quantity": name, **asked, **known})
    return rows
