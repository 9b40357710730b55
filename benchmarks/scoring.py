"""CPU time of scoring in units of one plain forward pass: `python benchmarks/scoring.py`.

The model has GPT-2 small's shape and random weights, the prompts have 15 tokens of which one
differs (the fourth). A unit is the CPU time of one forward pass of the same Hugging Face model's
trunk (no unembedding) on the same batch. Ratios within one run are what counts: wall times depend
on what else the machine does. Everything runs on one thread unless --threads says otherwise.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable

THREADS = argparse.ArgumentParser(add_help=False)
THREADS.add_argument("--threads", type=int, default=1)
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(
    THREADS.parse_known_args()[0].threads
)

import numpy as np  # noqa: E402  (threads are fixed before the numeric libraries load)
import torch  # noqa: E402

from circuitvar.circuits.loading import wrap  # noqa: E402
from circuitvar.circuits.methods.catalog import get_method  # noqa: E402
from circuitvar.circuits.model import Model  # noqa: E402
from circuitvar.circuits.scores import score_edges  # noqa: E402
from circuitvar.circuits.types import ScoreOptions  # noqa: E402
from circuitvar.tasks.tokens import get_metric  # noqa: E402
from circuitvar.tasks.types import Batch  # noqa: E402

N_EDGES = 500
Row = tuple[str, float, float | None]
"""(what, units per example, bar or none)."""


def gpt2_shape(seed: int = 0) -> Model:
    """GPT-2 small's shape with random weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    return wrap(GPT2LMHeadModel(GPT2Config()), name="gpt2-shape")


def prompts(n: int, *, length: int = 15, differs: int = 3, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    clean = torch.randint(0, 50257, (n, length), generator=generator)
    corrupt = clean.clone()
    corrupt[:, differs] = (clean[:, differs] + 1) % 50257
    answers = torch.randint(0, 50257, (n, 2), generator=generator)
    return Batch(
        clean=clean,
        corrupt=corrupt,
        mask=torch.ones_like(clean, dtype=torch.bool),
        answers=answers[:, :1],
        wrong_answers=answers[:, 1:],
        last=torch.full((n,), length - 1),
        index=torch.arange(n),
        templates=("",) * n,
    )


def cpu_time(f: Callable[[], object], repeats: int = 3) -> float:
    """Smallest of a few: the run that was disturbed least."""
    f()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        f()
        times.append(time.process_time() - start)
    return min(times)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def method_rows(model: Model, batch: Batch, unit: float, repeats: int) -> list[Row]:
    metric = get_metric("logit_diff")
    edges = np.random.default_rng(0).choice(model.graph.n_edges, N_EDGES, replace=False)

    def units(key: str, repeats: int = repeats, **options: object) -> float:
        method, chosen = get_method(key), ScoreOptions(**options)  # type: ignore[arg-type]
        return (
            cpu_time(lambda: method.fn(model, batch, metric=metric, options=chosen), repeats) / unit
        )

    driver = cpu_time(lambda: score_edges(model, batch, get_method("eap"), metric=metric), repeats)
    some = units("exact", 1, edges=tuple(int(e) for e in edges)) / N_EDGES
    return [
        ("eap", units("eap"), 6.5),
        ("eap through score_edges", driver / unit, 6.5),
        ("clean-corrupted", units("clean-corrupted"), None),
        ("eap-ig-inputs, 5 steps", units("eap-ig-inputs"), 17.0),
        (f"exact, per edge ({N_EDGES} random edges)", some, 0.35),
    ]


def circuit_rows(model: Model, batch: Batch, unit: float, repeats: int) -> list[Row]:
    """Circuits of the strongest edges: one, and ten nested ones in one call."""
    from circuitvar.circuits.evaluate import evaluate_masks

    metric = get_metric("logit_diff")
    scores = score_edges(model, batch, get_method("eap"), metric=metric)
    rank = np.argsort(np.argsort(-np.abs(scores.mean)))
    sizes = np.geomspace(100, 20_000, 10).astype(int)
    rows: list[Row] = []
    for name, chosen in (("1 circuit of 5000 edges", [5000]), ("10 nested circuits", sizes)):
        masks = np.array([rank < n for n in chosen])
        time = cpu_time(lambda m=masks: evaluate_masks(model, m, batch, metric=metric), repeats)
        rows.append((f"{name}, per circuit", time / unit / len(masks), 3.0))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, parents=[THREADS])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, batch = gpt2_shape(), prompts(args.batch)
    eap, metric = get_method("eap"), get_metric("logit_diff")

    def forward() -> None:
        with torch.no_grad():
            model.hf.transformer(batch.clean, use_cache=False)  # type: ignore[operator]

    forward()
    loaded = peak_gb()
    eap.fn(model, batch, metric=metric, options=ScoreOptions())
    memory = peak_gb() - loaded
    unit = cpu_time(forward, 3 * args.repeats)
    rows = method_rows(model, batch, unit, args.repeats)
    rows += circuit_rows(model, batch, unit, args.repeats)
    print(f"unit: {unit / args.batch * 1e3:.1f} ms of CPU per example; batch {args.batch}")
    print("units are per example")
    for name, value, bar in rows:
        verdict = "" if bar is None else f"bar {bar:5g}  {'ok' if value <= bar else 'MISSED'}"
        print(f"{name:40s} {value:8.3f}  {verdict}")
    print(f"{'eap, GB above the loaded model':40s} {memory:8.3f}  bar   1.5")


if __name__ == "__main__":
    main()
