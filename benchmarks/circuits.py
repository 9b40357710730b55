"""Time of circuit evaluation and of the circuit tests on a pocket model, in CPU seconds.

Run: python benchmarks/circuits.py [--threads N]. Bars: ten sizes on 200 prompts within 5 s, the
tests of one circuit within 60 s on two cores.
"""

import argparse
import json
import time

import numpy as np
import torch

from circuitvar.circuits.evaluate import faithfulness_curve, random_connected, run_circuit_tests
from circuitvar.circuits.find import FINDERS, top_n
from circuitvar.circuits.loading import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.run import circuit_scores
from circuitvar.circuits.scores import score_edges
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.tokens import get_metric, sample_batch


def timed(run):
    """(CPU seconds of all threads, wall seconds, result)."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = run()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--finders", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_model("pocket:0")
    rng = np.random.default_rng(0)
    task, metric = get_task("ioi"), get_metric("logit_diff")
    batch = sample_batch(task, options.prompts, model, rng=rng)[0].batch
    scored = score_edges(model, batch, get_method("eap"), metric=metric).mean
    rows = {"edges": model.graph.n_edges, "prompts": len(batch), "pos": batch.clean.shape[1]}
    ids = {"input_ids": batch.clean, "attention_mask": batch.mask.long()}
    with torch.no_grad():
        model.hf(**ids)
        cpu, _, _ = timed(lambda: [model.hf(**ids) for _ in range(5)])
    rows["plain forward, CPU s"] = cpu / 5
    cpu, wall, curve = timed(lambda: faithfulness_curve(model, scored, batch, metric=metric))
    rows["ten sizes, CPU s"], rows["ten sizes, wall s"] = cpu, wall
    print(curve[["share", "requested", "live", "faithfulness", "kl", "circuit_error"]].round(3))
    for size in (50, 150):
        circuit = top_n(model.graph, scored, size)
        cpu, wall, tests = timed(
            lambda circuit=circuit: run_circuit_tests(
                model, circuit, batch, metric=metric, rng=np.random.default_rng(0)
            )
        )
        rows[f"tests, top-{size} ({circuit.size} live), CPU s"] = cpu
        rows[f"tests, top-{size}, wall s"] = wall
        print("\n".join(tests.frame["reading"]))
    masks = random_connected(model.graph, 100, 100, rng=rng)
    cpu, _, _ = timed(lambda: circuit_scores(model, masks, batch, metric=metric))
    rows["one random 100-edge circuit, CPU s"] = cpu / 100
    if options.finders:
        for finder in FINDERS:
            cpu, _, found = timed(
                lambda f=finder: f.fn(model, batch, metric=metric, size=100, seed=0)
            )
            rows[f"{finder.key}, size 100 (found {found.selected}), CPU s"] = cpu
    print(json.dumps({k: round(float(v), 4) for k, v in rows.items()}, indent=2))


if __name__ == "__main__":
    main()
