"""How fast EAP-IG's integration rules converge: `python benchmarks/convergence.py [MODEL] [TASK]`.

Prints the relative error of the whole score matrix against 64 Gauss-Legendre points.
"""

import sys

import numpy as np

from circuitvar.circuits.loading import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.tokens import get_metric, tokenize

RULES = ("left", "midpoint", "gauss-legendre")
STEPS = (1, 2, 5, 10, 20)


def main(name: str = "pocket:0", task: str = "ioi") -> None:
    model, rng = load_model(name), np.random.default_rng(0)
    batch = tokenize(get_task(task).sample(24, rng=rng), model.tokenizer).batch
    method, metric = get_method("eap-ig-inputs"), get_metric("logit_diff")

    def scores(rule: str, steps: int) -> np.ndarray:
        options = ScoreOptions(rule=rule, steps=steps)  # type: ignore[arg-type]
        return score_edges(model, batch, method, metric=metric, options=options).values

    truth = scores("gauss-legendre", 64)
    print(f"{name}, {task}, {len(batch)} prompts: relative error by number of steps")
    print(f"{'rule':16s}" + "".join(f"{steps:>9d}" for steps in STEPS))
    for rule in RULES:
        errors = [np.linalg.norm(scores(rule, m) - truth) / np.linalg.norm(truth) for m in STEPS]
        print(f"{rule:16s}" + "".join(f"{error:9.4f}" for error in errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
