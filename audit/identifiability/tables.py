"""All identifiability numbers of one trained net as tidy rows, and their summary over nets.

Every row of `counts` names the quantity, the criterion, the ablation and the space, and says
whether the number is exact, an estimate with its interval, or a lower bound.
"""

from collections.abc import Mapping, Sequence
from math import log2

import numpy as np
import pandas as pd
from scipy.stats import binom

from circuitvar.audit.identifiability import count, explain, nets
from circuitvar.audit.identifiability.reruns import found_circuit, overlap_rows
from circuitvar.circuits.intervals import t_quantile

Frames = dict[str, pd.DataFrame]
HEIGHT = 3
"""Tallest algorithm tried: XOR has 56 to 132 of them, and over 7,000 one level up."""
READ_ALL = 20_000
"""Most valid circuits whose interpretations are all counted."""
KEYS = ["width", "gate", "quantity", "criterion", "ablation", "space"]
"""What the rows that are summarised together have in common."""


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
    names = ("counts", "tolerance", "sizes", "edges", "overlap", "found")
    frames: dict[str, list[dict]] = {name: [] for name in names}
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
    return {
        "quantity": number.name,
        "criterion": question.criterion.title,
        "ablation": question.ablation,
        "space": number.space,
        "value": float(number.value),
        **{k: getattr(number, k) for k in ("known", "low", "high", "level", "n", "bits")},
        "space_bits": log2(total) if total else float("nan"),
        "how": number.how,
        **more,
    }


def _plain(question: nets.Question, numbers: Mapping[str, int], **more: object) -> list[dict]:
    """Numbers that are no counts of explanations, so that their bits mean nothing."""
    known = [nets.Count(name, n, "exact", how="counted") for name, n in numbers.items()]
    return [_row(number, question, bits=float("nan"), **more) for number in known]


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
    common = {"backbone edges": marginals.backbone.sum(), "union edges": marginals.union.sum()}
    rows += [_row(smallest, question), *_plain(question, {"smallest size": size})]
    rows += [_row(count.count_minimal(question, limit=500_000), question)]
    rows += _plain(question, common)
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
        counts = _in_spaces("valid circuits", question, kept, how="listed")
        for space in nets.SPACES:
            sizes = count.only_in_space(question, kept, space).sum(axis=1)
            number_of = dict(zip(*np.unique(sizes, return_counts=True), strict=True))
            frames["sizes"] += _size_rows(question, space, number_of)
    if kept is not None and len(kept):
        sizes = kept.sum(axis=1)
        smallest, minimal = (sizes == sizes.min()).sum(), len(count.inclusion_minimal(kept))
        counts += [
            nets.Count("smallest circuits", int(smallest), "exact", how="listed"),
            nets.Count("inclusion-minimal circuits", minimal, "exact", how="listed"),
        ]
        common = {"backbone edges": kept.all(axis=0).sum(), "union edges": kept.any(axis=0).sum()}
        frames["counts"] += _plain(question, {"smallest size": sizes.min(), **common}, **name)
        frames["edges"] += _edge_rows(question, kept.mean(axis=0))
    frames["counts"] += [_row(number, question, **name) for number in counts]


def _agreement(question: nets.Question) -> list[dict]:
    """Valid circuits that also agree under interchange interventions; brute force sizes only."""
    if question.net.n_edges > nets.MAX_EDGES:
        return []
    every = nets.all_topologies(question.net.widths)
    strict = every[count.is_strict(question, every)]
    return [_row(n, question) for n in _in_spaces("valid circuits, IIA 1", question, strict)]


def _in_spaces(
    name: str, question: nets.Question, kept: np.ndarray, *, how: str = ""
) -> list[nets.Count]:
    return [
        nets.Count(name, len(count.only_in_space(question, kept, space)), "exact", space, how=how)
        for space in nets.SPACES
    ]


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
            name, value = f"interpretations ({kind})", sum(getattr(one, kind) for one in per)
            out.append(nets.Count(name, value, "exact", space, how="layer pass"))
    return out


def _tolerance(question, gate, options: count.NetOptions, frames: dict, exact: bool, rng) -> None:
    for delta in options.deltas:
        box = nets.Criterion("delta", delta)
        near = nets.pose(question.net, gate, criterion=box, ablation=question.ablation)
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
        values = {
            "algorithms tested": len(algorithms),
            "algorithms aligned": sum(n > 0 for n in number),
            "minimal mappings": sum(number),
        }
        asked = {"criterion": f"IIA 1, {variant}", "ablation": "none", "space": "neuron sets"}
        known = {"known": "exact", "how": f"enumerated, trees up to height {height}"}
        rows += [{"quantity": k, **asked, "value": float(n), **known} for k, n in values.items()]
    return rows


def summarize_counts(
    counts: pd.DataFrame, *, level: float = 0.95, how: bool = False
) -> pd.DataFrame:
    """One row per width, gate, quantity, criterion, ablation and space, over nets.

    Columns: nets, mean with a Student t interval, median with a distribution-free interval from
    order statistics (binomial), sd, min, max, unique (share of nets where the count is exactly
    one), none (share where it is zero), known (the weakest label among the nets); with `how`
    also the methods the numbers come from.

    >>> import pandas as pd
    >>> one = dict(width=3, gate="xor", quantity="valid circuits", criterion="label",
    ...            ablation="zero", space="whole", known="exact")
    >>> frame = pd.DataFrame([{**one, "value": v} for v in (1, 3, 8)])
    >>> summarize_counts(frame)[["nets", "median", "unique"]].values.tolist()
    [[3.0, 3.0, 0.3333333333333333]]
    """
    rows = []
    for _, part in counts.groupby(KEYS, sort=False, dropna=False):
        values = np.sort(part["value"].to_numpy(dtype=float))
        n, mean = len(values), float(values.mean())
        sd = float(values.std(ddof=1)) if n > 1 else float("nan")
        half = t_quantile(n - 1, level) * sd / np.sqrt(n) if n > 1 else float("nan")
        low, high = median_interval(values, level)
        row = {name: part[name].iloc[0] for name in KEYS} | {"nets": n}
        row |= {"mean": mean, "mean_low": mean - half, "mean_high": mean + half}
        row |= {"median": float(np.median(values)), "median_low": low, "median_high": high}
        row |= {"sd": sd, "min": float(values[0]), "max": float(values[-1])}
        row |= {"unique": float((values == 1).mean()), "none": float((values == 0).mean())}
        row["known"] = max(part["known"], key=["exact", "estimate", "lower bound"].index)
        rows.append(row | ({"how": "; ".join(dict.fromkeys(part["how"]))} if how else {}))
    return pd.DataFrame(rows)


def median_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Interval for the median from order statistics; NaN where the sample is too small for it.

    >>> median_interval(np.arange(1.0, 21.0))
    (6.0, 15.0)
    """
    ordered, n = np.sort(values), len(values)
    # The largest j with P(Binomial(n, 1/2) <= j) <= (1 - level) / 2.
    j = int((binom.cdf(np.arange(n), n, 0.5) <= (1 - level) / 2).sum()) - 1
    if j < 0:
        return float("nan"), float("nan")
    return float(ordered[j]), float(ordered[n - 1 - j])
