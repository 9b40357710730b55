"""Peak memory of scoring many prompts: `python benchmarks/memory.py --prompts 10000`.

GPT-2 small's 32,491 edges per prompt, scores made by a stand-in for the method (a real one adds
the same working memory for one batch whatever the number of prompts). Prints the peak above what
the process had before, and the size of the score matrix.
"""

import argparse
import resource
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import torch
from scoring import gpt2_shape, prompts

from circuitvar.audit.edges import edge_summary
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import read_scores, score_edges, write_scores
from circuitvar.tasks.tokens import get_metric


def private_gb() -> float:
    """Anonymous memory of this process: mapped files can be dropped at any time."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=10_000)
    n = parser.parse_args().prompts
    model = gpt2_shape()
    before, peak, done = private_gb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, private_gb())
            time.sleep(0.05)

    def stand_in(model, batch, *, metric, options):
        return torch.randn(len(batch), model.graph.n_edges)

    threading.Thread(target=watch, daemon=True).start()
    method = replace(get_method("eap"), fn=stand_in, run=None)
    with tempfile.TemporaryDirectory() as folder:
        metric = get_metric("logit_diff")
        scores = score_edges(
            model.keeping(Path(folder) / "runs"), prompts(n), method, metric=metric
        )
        write_scores(scores, folder)
        summary = edge_summary(read_scores(folder).values)
    done.set()
    print(f"{n} prompts, {4 * n * len(summary.mean) / 2**30:.2f} GB of scores")
    print(f"peak above the loaded model: {peak - before:.2f} GB")


if __name__ == "__main__":
    main()
