"""Measure counting of explanations: exactness, CPU time per net, coverage of the estimators.

Run `python benchmarks/identifiability.py`; it prints one line per bar with what was measured. Times
are CPU seconds of one process (`time.process_time`), medians where several nets are measured.
"""

import json
import time
from pathlib import Path

import numpy as np

from circuitvar.audit.identifiability.count import (
    count_valid,
    estimate_valid,
    list_valid,
    only_in_space,
)
from circuitvar.audit.identifiability.explain import count_interpretations
from circuitvar.audit.identifiability.nets import Recipe, TrainedNet, pose, train_nets
from circuitvar.audit.identifiability.nets.boolean_net import make_net

STORED = Path(__file__).parents[1] / "tests" / "golden" / "identifiability.json"


def timed(call):
    """Result and CPU seconds."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def trained(width: int, seeds: int, loss: float = 1e-2) -> list[TrainedNet]:
    recipe = Recipe(width=width, loss_target=loss)
    return [n for n in train_nets(("xor",), seeds=range(seeds), recipe=recipe) if n.converged]


def whole_space_times() -> None:
    for width, seeds in ((3, 40), (4, 20), (5, 6)):
        times = [
            timed(lambda n=n: count_valid(pose(n.net, "xor")))[1] for n in trained(width, seeds)
        ]
        print(f"width {width}: {np.median(times):.4f} s median, {max(times):.4f} s worst, "
              f"{len(times)} nets")  # fmt: skip


def hundred_seeds() -> None:
    def run():
        nets = trained(3, 100)
        return [count_valid(pose(n.net, "xor")) for n in nets]

    counted, seconds = timed(run)
    paper = np.array([c.count("paper").value for c in counted])
    whole = np.array([c.count().value for c in counted])
    print(f"100 seeds of width 3, training and counting: {seconds:.1f} s; {len(paper)} converged")
    print(f"  released code's space: mean {paper.mean():.1f}, median {np.median(paper):.1f}, "
          f"range {paper.min()}-{paper.max()}, unique {(paper == 1).sum()}")  # fmt: skip
    print(f"  whole space: mean {whole.mean():.1f}, median {np.median(whole):.1f}")


def interpretations() -> None:
    times = []
    for net in trained(3, 40):
        question = pose(net.net, "xor")
        for space in ("paper", "whole"):
            kept = only_in_space(question, list_valid(question), space)
            times.append((space, timed(lambda q=question, k=kept: count_interpretations(q, k))[1]))
    for space in ("paper", "whole"):
        some = [t for s, t in times if s == space]
        late = np.quantile(some, 0.95)
        print(f"interpretations per net, {space} space: {np.median(some):.4f} s median, "
              f"{late:.4f} s 95th percentile, {max(some):.4f} s worst")  # fmt: skip


def monte_carlo() -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    for name in ("k4_s0", "k5_s0"):
        layers = stored["nets"][name]["weights"]
        weights, biases = (
            [np.asarray(layers[f"{kind}{i + 1}"], np.float32) for i in range(len(layers) // 2)]
            for kind in "Wb"
        )
        question = pose(make_net(weights, biases), "xor")
        exact = stored["nets"][name]["valid_circuits"]["whole_space"]
        hits = 0
        for seed in range(100):
            c = estimate_valid(question, n=20_000, rng=np.random.default_rng(seed))
            hits += c.low <= exact <= c.high
        print(f"{name}: 95% Wilson interval covers the exact count in {hits} of 100 runs")
    net = trained(6, 4)[0]
    for seed in range(3):
        count, seconds = timed(
            lambda s=seed: estimate_valid(
                pose(net.net, "xor"), n=500_000, rng=np.random.default_rng(s)
            )
        )
        half = (count.high - count.low) / 2 / count.value
        print(f"width 6: {count.value:.3e} +- {half:.1%} (95%) in {seconds:.2f} s")


if __name__ == "__main__":
    whole_space_times()
    hundred_seeds()
    interpretations()
    monte_carlo()
