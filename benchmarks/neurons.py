"""Costs and coverage of the neuron audit: `python benchmarks/neurons.py [cost|coverage|all]`.

`cost`: nine metrics with votes for 512 units x 34 concepts x 16,000 tokens x 1,000 prompt-cluster
replicates against recomputing each replicate; greedy explanations after the Gram matrices; all
36,864 neurons of a GPT-2-small shape, extrapolated from one layer. CPU seconds; run with
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1, spinning threads cost CPU time.

`coverage`: how often each set holds what it claims to cover, by sample size, number of concepts
and near ties (IoU; rows as in the documentation). About ten CPU minutes with 600 data sets.
"""

import argparse
import time

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.data import Votes, probing_set
from circuitvar.audit.neurons.linear import candidate_order, elastic_net, gram, greedy_refit
from circuitvar.audit.neurons.resampling import bootstrap_votes
from circuitvar.audit.neurons.sets import conformal_set, interval_set, maxt_set, vote_set
from circuitvar.audit.neurons.similarity import cluster_weights, similarity, similarity_interval

NINE = ("pearson", "iou", "f1", "auprc", "phi", "cosine", "accuracy", "balanced_accuracy",
        "p_active_given_concept")  # fmt: skip
ROWS = ((200, 20, 0.0, 3), (200, 20, 0.02, 3), (200, 20, 0.1, 3), (1000, 20, 0.02, 3),
        (1000, 20, 0.1, 3), (200, 20, 0.01, 19), (1000, 60, 0.01, 30))  # fmt: skip


def synthetic(prompts: int, length: int, units: int, seed: int):
    """One-hot positions plus random columns; unit u follows concept u modulo their number."""
    rng = np.random.default_rng(seed)
    positions = np.tile(np.eye(length), (prompts, 1))[:, : length - 1]
    others = rng.random((prompts * length, 34 - positions.shape[1])) < 0.2
    concepts = np.hstack([positions, others]).astype(np.float32)
    acts = rng.normal(size=(len(concepts), units)).astype(np.float32)
    acts += 0.3 * concepts[:, np.arange(units) % 34]
    return probing_set(acts, concepts, groups=np.repeat(np.arange(prompts), length))


def cost() -> pd.DataFrame:
    """CPU seconds of the engine, of recomputation, of greedy explanations; ratios are unitless."""
    data = synthetic(1000, 16, 512, 0)
    rng = np.random.default_rng(1)
    w = cluster_weights(data.strata, 1000, rng=rng)
    fast = _cpu(lambda: bootstrap_votes(data, w, NINE))
    few = 4
    rows_of = [np.flatnonzero(data.groups == g) for g in range(data.n_groups)]

    def recompute() -> None:
        for row in w[:few]:
            rows = np.concatenate([np.tile(rows_of[g], int(k)) for g, k in enumerate(row) if k])
            scores = similarity(probing_set(data.acts[rows], data.concepts[rows]), NINE)
            for values in scores.values():
                np.nan_to_num(values, nan=-np.inf).argmax(axis=1)

    slow = _cpu(recompute) * len(w) / few
    three = np.stack([rng.permuted(np.arange(34))[:3] for _ in range(512)])
    planted = data.concepts[:, three].sum(axis=2) + rng.normal(size=data.acts.shape)
    mixed = probing_set(planted.astype(np.float32), data.concepts, groups=data.groups)
    split = (rng.random(data.n_samples) < 0.8).astype(float)
    train, validation = gram(mixed, split), gram(mixed, 1 - split)
    order = candidate_order(elastic_net(train, penalty=0.01), signed=True)
    found = greedy_refit(train, validation, order)
    greedy = _cpu(lambda: greedy_refit(train, validation, order))
    recall = np.take_along_axis(found != 0, three.T, axis=0).mean()
    layer = synthetic(1000, 16, 3072, 2)
    pearson = _cpu(lambda: bootstrap_votes(layer, w, ["pearson"]))
    return pd.DataFrame(
        [
            ("nine metrics with votes, 512 units, 1000 replicates", fast),
            ("the same by recomputing each replicate", slow),
            ("ratio", slow / fast),
            ("greedy explanations of 512 units after Gram matrices", greedy),
            ("planted concepts they recover (share)", recall),
            ("GPT-2-small shape, 36,864 neurons, Pearson votes (12 x one layer)", 12 * pearson),
            ("GPT-2-small shape, 36,864 neurons, nine metrics (72 x 512 units)", 72 * fast),
        ],
        columns=["item", "value"],
    )


def coverage(datasets: int, replicates: int = 200, alpha: float = 0.05) -> pd.DataFrame:
    """Coverage of the best concept, the fresh winner and the next replicate, and set sizes."""
    table = []
    for n, concepts, gap, tied in ROWS:
        rng = np.random.default_rng([n, concepts, tied, int(1000 * gap)])
        hits = [_one_data_set(rng, n, concepts, gap, tied, replicates, alpha)
                for _ in range(datasets)]  # fmt: skip
        mean = pd.DataFrame(hits).mean()
        table.append({"n": n, "concepts": concepts, "gap": gap, "tied": tied, **mean})
    return pd.DataFrame(table)


def _one_data_set(rng, n, concepts, gap, tied, replicates, alpha) -> dict[str, float]:
    unit, columns = _draw(rng, n, concepts, gap, tied)
    both, size, on = (columns & unit[:, None]).sum(0), columns.sum(0), unit.sum()
    point = both / (size + on - both)
    draws = _resampled_iou(rng, unit, columns, n, replicates + 1)
    half = _resampled_iou(rng, unit, columns, n // 2, replicates)
    following = int(draws[-1].argmax())
    draws = draws[:-1]
    fresh_unit, fresh_columns = _draw(rng, n, concepts, gap, tied)
    inside = fresh_columns & fresh_unit[:, None]
    fresh = int((inside.sum(0) / (fresh_columns | fresh_unit[:, None]).sum(0)).argmax())
    shares = _shares(draws, concepts)
    votes = Votes("iou", shares[:, None], draws.argmax(axis=1)[:, None].astype(np.int16),
                  np.zeros((0, 3), dtype=np.int64))  # fmt: skip
    low, high = similarity_interval("iou", np.array(n), on, size, both, delta=alpha / concepts)
    sets = {
        "vote": vote_set(shares, alpha=alpha),
        "new": vote_set(_shares(half, concepts), alpha=alpha),
        "maxt": maxt_set(point, draws, alpha=alpha),
        "ci": interval_set(low, high),
        "conf": conformal_set(votes, 0, alpha=alpha),
    }
    out: dict[str, float] = {}
    for name, mask in sets.items():
        out |= {f"{name}_best": mask[0], f"{name}_fresh": mask[fresh],
                f"{name}_next": mask[following], f"{name}_size": mask.sum()}  # fmt: skip
    return out


def _draw(rng, n, concepts, gap, tied):
    unit = rng.random(n) < 0.3
    rates = np.full(concepts, 0.45)
    rates[:tied] = 0.2 + gap
    rates[0] = 0.2
    return unit, unit[:, None] ^ (rng.random((n, concepts)) < rates)


def _resampled_iou(rng, unit, columns, draws, replicates):
    n = len(unit)
    w = rng.multinomial(draws, np.full(n, 1 / n), size=replicates).astype(np.float32)
    both = w @ (columns & unit[:, None]).astype(np.float32)
    union = w @ (columns | unit[:, None]).astype(np.float32)
    return both / union


def _shares(draws, concepts):
    return np.bincount(draws.argmax(axis=1), minlength=concepts) / len(draws)


def _cpu(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("what", nargs="?", choices=("cost", "coverage", "all"), default="all")
    parser.add_argument("--datasets", type=int, default=600)
    chosen = parser.parse_args()
    if chosen.what in ("cost", "all"):
        print(cost().round(3).to_string(index=False))
    if chosen.what in ("coverage", "all"):
        with pd.option_context("display.width", 220, "display.max_columns", 40):
            print(coverage(chosen.datasets).round(3).T.to_string())


if __name__ == "__main__":
    main()
