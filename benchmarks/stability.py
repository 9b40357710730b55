"""Cost of the stability statistics at the size of GPT-2 small, against a plain loop.

    python benchmarks/stability.py                       # bars, and the loop at 100 replicates
    python benchmarks/stability.py --loop-replicates 1000  # the loop at full size (minutes)
    python benchmarks/stability.py --large 1600000       # edges of an 8B model, streamed from disk

CPU seconds of this process and peak memory above the score matrix; set OMP_NUM_THREADS=1. The
ratio compares both implementations at the same number of replicates.
"""

import argparse
import resource
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from circuitvar.audit.edges import edge_summary, forecast, inner_outer, max_t
from circuitvar.audit.indices import (
    jaccard_of_resamples,
    mean_pairwise,
    pairwise_jaccard,
    phi_from_counts,
    phi_of_resamples,
)
from circuitvar.audit.resampling import bootstrap, replicate_sets
from circuitvar.audit.variance import two_way


def planted(n: int, n_edges: int, rng: np.random.Generator) -> np.ndarray:
    """Heavy-tailed effects, unit noise, float32."""
    scores = rng.standard_normal((n, n_edges), dtype=np.float32)
    scores += (0.1 * rng.standard_t(3, size=n_edges)).astype(np.float32)
    return scores


def stability_block(scores, replicates: int, size: int, rng) -> dict[str, float]:
    """Inclusion, phi with SE, all pairwise Jaccards with SE: what the bar is about."""
    resamples = bootstrap(len(scores), replicates, rng=rng)
    sets = replicate_sets(scores, resamples.weights, size=size)
    masks, whole = sets.compact
    phi = phi_of_resamples(masks, resamples.counts, whole)
    jaccard = jaccard_of_resamples(pairwise_jaccard(masks, whole), resamples.counts)
    return {"phi": phi.value, "phi_se": phi.se, "jaccard": jaccard.value}


def plain_loop(scores, replicates: int, size: int, rng) -> dict[str, float]:
    """What a notebook does: index, average, sort, python sets, pairs."""
    n, n_edges = scores.shape
    drawn = rng.integers(n, size=(replicates, n))
    circuits, counts = [], np.zeros(n_edges, dtype=np.int64)
    for index in drawn:
        order = np.argsort(-np.abs(scores[index].mean(axis=0)), kind="stable")
        circuits.append(set(order[:size].tolist()))
        counts[order[:size]] += 1
    pairs = np.eye(replicates)
    for i in range(replicates):
        for j in range(i):
            a, b = circuits[i], circuits[j]
            pairs[i, j] = pairs[j, i] = len(a & b) / len(a | b)
    return {"phi": phi_from_counts(counts, replicates), "jaccard": mean_pairwise(pairs)}


def measured(function, *arguments):
    """(result, CPU seconds, growth of peak memory in MB)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    result = function(*arguments)
    seconds = time.process_time() - start
    return result, seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def line(name: str, value: str, bar: str = "") -> None:
    print(f"{name:<58}{value:>16}   {bar}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--edges", type=int, default=32491)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--loop-replicates", type=int, default=100)
    parser.add_argument("--large", type=int, default=0, help="edges to stream from disk")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    if options.large:
        stream_from_disk(options.large, rng)
        return
    scores = planted(options.examples, options.edges, rng)
    bootstrap(50, 50, rng=rng)  # imports and first-call costs are not what is measured
    stability_block(scores[:50], 50, options.size, rng)
    block, seconds, memory = measured(
        stability_block, scores, options.replicates, options.size, rng
    )
    print({key: round(value, 5) for key, value in block.items()})
    line("stability block, CPU s", f"{seconds:.2f}", "<= 1.5")
    line("stability block, MB above the matrix", f"{memory:.0f}", "<= 150")
    few = options.loop_replicates
    slow, slow_seconds, _ = measured(plain_loop, scores, few, options.size, rng)
    _, fast_seconds, _ = measured(stability_block, scores, few, options.size, rng)
    print({key: round(value, 5) for key, value in slow.items()})
    line(f"plain loop at {few} replicates, CPU s", f"{slow_seconds:.1f}")
    line(f"same at {few} replicates, CPU s", f"{fast_seconds:.2f}")
    line(f"ratio at {few} replicates", f"{slow_seconds / fast_seconds:.0f}x", ">= 80x")
    other_costs(scores, options, rng)


def other_costs(scores, options, rng) -> None:
    summary, seconds, _ = measured(edge_summary, scores)
    line("edge summary, CPU s", f"{seconds:.2f}")
    tests, seconds, _ = measured(
        lambda: max_t(scores, summary, rng=rng, replicates=options.replicates)
    )
    line("max-T, step-down, CPU s", f"{seconds:.2f}", "<= 1")
    found, seconds, _ = measured(
        lambda: inner_outer(summary.mean, summary.se, size=options.size, critical=tests.critical)
    )
    sizes = f"inner {found.inner.sum()}, outer {found.outer.sum()}"
    line(f"inner and outer circuits ({sizes}), CPU s", f"{seconds:.3f}")
    rows = 20
    grid = scores[: len(scores) // rows * rows].reshape(rows, -1, scores.shape[1])
    _, seconds, _ = measured(two_way, grid)
    line("two-way variance components, all edges, CPU s", f"{seconds:.2f}", "<= 0.2")
    ahead = [len(scores) * factor for factor in (1, 2, 4, 8)]
    _, seconds, _ = measured(lambda: forecast(summary, size=options.size, units=ahead, rng=rng))
    line("forecast of phi at 4 sample sizes, CPU s", f"{seconds:.2f}", "<= 10")


def stream_from_disk(n_edges: int, rng, *, examples: int = 1000, replicates: int = 200) -> None:
    """Replicate sets of a matrix that is never in memory; peak of anonymous memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.npy"
        disk = np.lib.format.open_memmap(path, "w+", np.float32, (examples, n_edges))
        effect = (0.1 * rng.standard_t(3, size=n_edges)).astype(np.float32)
        for row in disk:
            row[:] = effect + rng.standard_normal(n_edges, dtype=np.float32)
        disk.flush()
        del disk
        scores = np.load(path, mmap_mode="r")
        weights = bootstrap(examples, replicates, rng=rng).weights
        peak, done = [0.0], threading.Event()
        watch = threading.Thread(target=_watch_memory, args=(peak, done))
        watch.start()
        sets, seconds, _ = measured(
            lambda: replicate_sets(scores, weights, size=n_edges // 30, memory_mb=1400)
        )
        done.set()
        watch.join()
    line(f"{examples} x {n_edges} from disk, {replicates} replicates, CPU s", f"{seconds:.0f}")
    line("peak anonymous memory, MB", f"{peak[0]:.0f}", "<= 4096")
    line("phi", f"{phi_from_counts(sets.counts, sets.runs):.4f}")


def _watch_memory(peak: list[float], done: threading.Event) -> None:
    while not done.wait(0.05):
        for text in Path("/proc/self/status").read_text().splitlines():
            if text.startswith("RssAnon"):
                peak[0] = max(peak[0], int(text.split()[1]) / 1024)


if __name__ == "__main__":
    main()
