"""All neurons of a GPT-2-small-shaped model: `python benchmarks/neurons_all_units.py`.

36,864 units (12 layers x 3,072) x 34 concepts x 16,000 samples in 1,000 prompts, activations in a
memory-mapped file. Two jobs: `audit` is every label with all sets, held-out scores, null bars and
verdicts (default options: Pearson ranks, IoU and AUPRC are asked whether they agree, 1,000
replicates); `votes` is the nine metrics with their votes alone. Bar: two minutes of wall time on
two otherwise idle cores, with OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1. `--share 0.125` takes
an eighth of the units and scales nothing; `--noise` takes units that follow no
concept, the dearest case for the sets.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.data import ProbingSet, probing_set
from circuitvar.audit.neurons.resampling import bootstrap_votes
from circuitvar.audit.neurons.run import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.similarity import cluster_weights

NINE = ("pearson", "iou", "f1", "auprc", "phi", "cosine", "accuracy", "balanced_accuracy",
        "p_active_given_concept")  # fmt: skip
PROMPTS, LENGTH, CONCEPTS, UNITS = 1000, 16, 34, 36_864
VOTES_ONLY = NeuronOptions(linear=None, perturbations=None, self_check=False, range_units=0)


def stored_probing_set(path: Path, units: int, *, effect: float, seed: int = 0) -> ProbingSet:
    """One-hot positions and random columns; unit u follows concept u modulo their number."""
    rng = np.random.default_rng(seed)
    positions = np.tile(np.eye(LENGTH), (PROMPTS, 1))[:, : LENGTH - 1]
    others = rng.random((PROMPTS * LENGTH, CONCEPTS - LENGTH + 1)) < 0.2
    concepts = np.hstack([positions, others]).astype(np.float32)
    acts = np.lib.format.open_memmap(path, "w+", np.float32, (len(concepts), units))
    followed = np.arange(units) % CONCEPTS
    for start in range(0, len(acts), 250):
        rows = slice(start, start + 250)
        noise = rng.standard_normal((250, units), dtype=np.float32)
        acts[rows] = noise + effect * concepts[rows][:, followed]
    acts.flush()
    del acts
    return probing_set(path, concepts, groups=np.repeat(np.arange(PROMPTS), LENGTH))


class PeakMemory:
    """Largest resident anonymous memory (mapped file pages apart), sampled every 50 ms."""

    def __enter__(self) -> "PeakMemory":
        self.megabytes = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    self.megabytes = max(self.megabytes, int(line.split()[1]) / 1024)


def measure(job: str, data: ProbingSet, workers: int) -> dict[str, object]:
    """Wall and CPU seconds and peak memory of one job."""
    wall, cpu = time.perf_counter(), time.process_time()
    with PeakMemory() as memory:
        if job == "audit":
            units = audit_neurons(data, VOTES_ONLY, workers=workers).units
            result = f"{(units['verdict'] == 'stable').mean():.3f} stable"
        else:
            w = cluster_weights(data.strata, 1000, rng=np.random.default_rng(1))
            votes = bootstrap_votes(data, w, NINE, workers=workers)
            result = f"{votes['pearson'].shares.max(axis=0).mean():.3f} mean winning share"
    return {
        "job": job,
        "units": data.n_units,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "memory_mb": memory.megabytes,
        "result": result,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("job", nargs="?", choices=("audit", "votes", "both"), default="both")
    parser.add_argument("--share", type=float, default=1.0, help="share of the 36,864 units")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--noise", action="store_true", help="units that follow no concept")
    parser.add_argument("--folder", help="where the 2.4 GB file goes (default: temporary)")
    chosen = parser.parse_args()
    jobs = ("audit", "votes") if chosen.job == "both" else (chosen.job,)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        data = stored_probing_set(
            Path(folder) / "acts.npy",
            round(chosen.share * UNITS),
            effect=0.0 if chosen.noise else 0.3,
        )
        rows = [measure(job, data, chosen.workers) for job in jobs]
    print(pd.DataFrame(rows).round(1).to_string(index=False))


if __name__ == "__main__":
    main()
