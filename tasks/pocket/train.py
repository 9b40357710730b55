"""Train one pocket model: `python -m circuitvar.tasks.pocket.train --seed 0 --out FOLDER`.

A GPT-2-architecture decoder first learns to continue repeated word lists (`pocket.lists`), then all
pocket tasks at once with some lists kept in. Loss: cross-entropy at the answer position against
the uniform distribution over right answers, plus a small next-token loss on the prompt, plus the
next-token loss on the second copy of each list. One seed fixes the initial weights, the data and
their order.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from circuitvar.tasks.pocket.batches import POLISH_SHARES, SHARES, Example, batches, pocket_tasks
from circuitvar.tasks.pocket.check import held_out_scores
from circuitvar.tasks.pocket.losses import list_loss, prompt_loss
from circuitvar.tasks.pocket.tokenizer import CONTEXT, build_tokenizer

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, besides library versions and the machine."""

    seed: int = 0
    list_steps: int = 1000
    """Steps on repeated lists alone, before the tasks."""
    steps: int = 3600
    """Steps on the tasks."""
    polish_steps: int = 1200
    """Steps of a last phase with more induction, from a fresh optimizer."""
    polish_rate: float = 2e-3
    polish_lists: int = 40
    """Repeated lists per step of the last phase, and their longest list."""
    polish_longest: int = 6
    batch: int = 96
    lists: int = 64
    """Repeated lists per step at first; a quarter of that beside the tasks."""
    pieces: int = 3
    """Each batch is sorted by length and run in this many pieces, to waste little on padding."""
    layers: int = 4
    heads: int = 4
    width: int = 96
    initializer_range: float = 0.08
    """GPT-2's 0.02 is for width 768; at width 96 induction then takes several times as long."""
    learning_rate: float = 3e-3
    warmup: int = 100
    weight_decay: float = 0.05
    prompt_loss: float = 0.1
    """Weight of the next-token loss on tokens before the answer."""


def _new_model(recipe: Recipe, vocab_size: int) -> "GPT2LMHeadModel":
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=CONTEXT,
        n_embd=recipe.width,
        n_layer=recipe.layers,
        n_head=recipe.heads,
        initializer_range=recipe.initializer_range,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=2,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return GPT2LMHeadModel(config)


def train(
    recipe: Recipe, *, device: str = "cpu", report: Any = None
) -> tuple["GPT2LMHeadModel", "PreTrainedTokenizerFast", list[dict[str, float]]]:
    """The trained model, its tokenizer, and the loss every hundred steps."""
    tokenizer = build_tokenizer()
    model = _new_model(recipe, len(tokenizer)).to(device).train()  # pyright: ignore
    optimizer = _optimizer(model, recipe.learning_rate, recipe)
    total = recipe.list_steps + recipe.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / recipe.warmup, _decay(step, recipe))
    )
    mixed = batches(tokenizer, seed=recipe.seed, size=recipe.batch, steps=recipe.steps)
    rng = np.random.default_rng([recipe.seed, recipe.steps])
    curve: list[dict[str, float]] = []
    running = 0.0
    for step in range(1, total + 1):
        alone = step <= recipe.list_steps
        examples = [] if alone else next(mixed)
        lists = recipe.lists if alone else recipe.lists // 4
        loss = list_loss(model, tokenizer, lists, rng)
        running += _step(model, optimizer, loss, examples, recipe)
        schedule.step()
        if step % 100 == 0 or step == total:
            since = step - (curve[-1]["step"] if curve else 0)
            curve.append({"step": step, "loss": round(running / since, 4)})
            running = 0.0
            if report is not None:
                report(curve[-1], model, tokenizer)
    return model.eval(), tokenizer, curve


def polish(
    model: "GPT2LMHeadModel",
    tokenizer: "PreTrainedTokenizerFast",
    recipe: Recipe,
    *,
    report: Any = None,
) -> list[dict[str, float]]:
    """The last phase: most prompts are induction, the rate falls by half a cosine to zero.

    It starts from a fresh optimizer, so it gives the same weights from a saved checkpoint.
    """
    model.train()
    optimizer = _optimizer(model, recipe.polish_rate, recipe)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.polish_steps)
    shares, steps = POLISH_SHARES, recipe.polish_steps
    mixed = batches(
        tokenizer, seed=recipe.seed, size=recipe.batch, steps=steps, shares=shares, phase=(1,)
    )
    rng = np.random.default_rng([recipe.seed, recipe.steps, 1])
    curve: list[dict[str, float]] = []
    running = 0.0
    for step, examples in enumerate(mixed, start=1):
        loss = list_loss(model, tokenizer, recipe.polish_lists, rng, longest=recipe.polish_longest)
        running += _step(model, optimizer, loss, examples, recipe)
        schedule.step()
        if step % 100 == 0 or step == steps:
            done = {"step": recipe.list_steps + recipe.steps + step}
            curve.append({**done, "loss": round(running / 100, 4)})
            running = 0.0
            if report is not None:
                report(curve[-1], model, tokenizer)
    model.eval()
    return curve


def _optimizer(model: torch.nn.Module, rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    options = {"betas": (0.9, 0.98), "weight_decay": recipe.weight_decay}
    return torch.optim.AdamW(model.parameters(), lr=rate, **options)


def _step(
    model: "GPT2LMHeadModel",
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    examples: Sequence[Example],
    recipe: Recipe,
) -> float:
    """One update on a loss on repeated lists and a batch of prompts; returns the summed loss."""
    optimizer.zero_grad()
    loss.backward()
    running = float(loss.detach())
    ordered = sorted(examples, key=lambda example: len(example.ids))
    size = -(-recipe.batch // recipe.pieces)
    for start in range(0, len(ordered), size):
        loss = prompt_loss(model, ordered[start : start + size], len(ordered), recipe.prompt_loss)
        loss.backward()
        running += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return running


def _decay(step: int, recipe: Recipe) -> float:
    """Full rate on lists alone, then half a cosine down to zero."""
    done = max(0, step - recipe.list_steps) / recipe.steps
    return 0.5 * (1 + float(np.cos(np.pi * done)))


def save(
    folder: Path,
    model: "GPT2LMHeadModel",
    tokenizer: "PreTrainedTokenizerFast",
    log: dict[str, Any],
) -> None:
    """Write a Hugging Face folder: configuration, safetensors, tokenizer, training log."""
    folder.mkdir(parents=True, exist_ok=True)
    model.cpu().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
    (folder / "training_log.json").write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train one pocket model from the command line."""
    parser = argparse.ArgumentParser(description="Train one pocket model.")
    parser.add_argument("--seed", type=int, default=0)
    for name in ("steps", "list_steps", "polish_steps"):
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=getattr(Recipe, name))
    parser.add_argument(
        "--start",
        type=Path,
        help="checkpoint of the first two phases (--polish-steps 0); only the last phase is run",
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    recipe = Recipe(given.seed, given.list_steps, given.steps, given.polish_steps)
    wall, cpu = time.time(), time.process_time()

    def report(point: dict[str, float], model: Any, tokenizer: Any) -> None:
        line = f"step {point['step']:>5}  loss {point['loss']:.3f}  {time.time() - wall:.0f} s"
        if point["step"] % 500 == 0:
            scores = held_out_scores(model, tokenizer, pocket_tasks(), n=100)
            line += "".join(f"  {key} {s['accuracy']:.2f}" for key, s in scores.items())
        print(line, file=sys.stderr, flush=True)

    if given.start is None:
        model, tokenizer, curve = train(recipe, device=given.device, report=report)
        before: dict[str, Any] = {}
    else:
        from transformers import AutoModelForCausalLM

        model: Any = AutoModelForCausalLM.from_pretrained(given.start).to(given.device)
        tokenizer = build_tokenizer()
        before = json.loads((given.start / "training_log.json").read_text(encoding="utf-8"))
        curve = before["curve"]
    if recipe.polish_steps:
        curve += polish(model, tokenizer, recipe, report=report)
    log = {
        "recipe": asdict(recipe),
        "shares": SHARES,
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out": held_out_scores(model, tokenizer, pocket_tasks(), n=1000),
        "curve": curve,
        "seconds_wall": round(time.time() - wall + before.get("seconds_wall", 0), 1),
        "seconds_cpu": round(time.process_time() - cpu + before.get("seconds_cpu", 0), 1),
        "device": given.device,
        "threads": given.threads,
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    save(given.out, model, tokenizer, log)
    print(json.dumps(log["held_out"], indent=1))


if __name__ == "__main__":
    main()
