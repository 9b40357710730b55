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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from circuitvar.tasks.catalog import TASKS
from circuitvar.tasks.pocket.check import held_out_scores
from circuitvar.tasks.pocket.held_out import draw_split
from circuitvar.tasks.pocket.lists import repeated_lists
from circuitvar.tasks.pocket.tokenizer import CONTEXT, build_tokenizer
from circuitvar.tasks.types import PromptPair, Task

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

SHARES = {
    "ioi": 0.15,
    "greater-than": 0.12,
    "agreement": 0.1,
    "pronoun": 0.1,
    "induction": 0.45,
    "capital": 0.08,
}
"""Part of each batch; induction is the slowest to learn."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, besides library versions and the machine."""

    seed: int = 0
    list_steps: int = 1000
    """Steps on repeated lists alone, before the tasks."""
    steps: int = 3200
    """Steps on the tasks."""
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


@dataclass(frozen=True)
class Example:
    ids: list[int]
    answers: list[int]


def _examples(
    task: Task, n: int, tokenizer: "PreTrainedTokenizerFast", rng: np.random.Generator
) -> list[Example]:
    pairs: tuple[PromptPair, ...] = draw_split(task, n, rng=rng, held_out=False)
    encoded: Any = tokenizer([pair.clean for pair in pairs])["input_ids"]
    vocabulary = tokenizer.get_vocab()
    bos = vocabulary["<bos>"]
    return [
        Example(
            [bos, *ids],
            [vocabulary[answer.strip()] for answer in pair.answers],
        )
        for ids, pair in zip(encoded, pairs, strict=True)
    ]


def _batches(
    recipe: Recipe, tokenizer: "PreTrainedTokenizerFast", *, rounds: int = 50
) -> Iterator[list[Example]]:
    """`recipe.steps` mixed batches; examples are drawn for `rounds` steps at a time."""
    counts = [round(recipe.batch * share) for share in SHARES.values()]
    counts[0] += recipe.batch - sum(counts)
    for start in range(0, recipe.steps, rounds):
        drawn = [
            _examples(
                task, count * rounds, tokenizer, np.random.default_rng([recipe.seed, start, i])
            )
            for i, (task, count) in enumerate(zip(_pocket_tasks(), counts, strict=True))
        ]
        for step in range(min(rounds, recipe.steps - start)):
            parts = (
                examples[step * count : (step + 1) * count]
                for examples, count in zip(drawn, counts, strict=True)
            )
            yield [example for part in parts for example in part]


def _pocket_tasks() -> tuple[Task, ...]:
    by_key = {task.key: task for task in TASKS}
    return tuple(by_key[key] for key in SHARES)


def _loss(
    model: "GPT2LMHeadModel", examples: Sequence[Example], total: int, prompt_loss: float
) -> Tensor:
    """This piece's share of the batch loss (a sum over examples divided by `total`)."""
    device, n = model.device, len(examples)
    width = max(len(e.ids) for e in examples)
    ids = torch.zeros(n, width, dtype=torch.long)
    target = torch.zeros(n, model.config.vocab_size)
    for i, example in enumerate(examples):
        ids[i, : len(example.ids)] = torch.tensor(example.ids)
        target[i, example.answers] = 1 / len(example.answers)
    ids, target = ids.to(device), target.to(device)
    last = torch.tensor([len(e.ids) - 1 for e in examples], device=device)
    log_probs, following = _next_token(model, ids)
    answer = -(target * log_probs[torch.arange(n, device=device), last]).sum(dim=-1)
    real = torch.arange(width - 1, device=device)[None] < last[:, None]
    prompt = torch.where(real, following, 0.0).sum(dim=1) / last
    return (answer + prompt_loss * prompt).sum() / total


def _next_token(model: "GPT2LMHeadModel", ids: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities, and the cross-entropy of each token given those before it."""
    # Right padding: causal attention keeps real tokens clean of it; no mask is needed, but
    # transformers warns without one.
    log_probs = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.log_softmax(-1)
    return log_probs, -log_probs[:, :-1].gather(2, ids[:, 1:, None])[:, :, 0]


def _list_loss(
    model: "GPT2LMHeadModel",
    tokenizer: "PreTrainedTokenizerFast",
    n: int,
    rng: np.random.Generator,
) -> Tensor:
    """Mean next-token loss on the second copies of `n` texts of repeated lists."""
    ids, second = repeated_lists(n, tokenizer.get_vocab(), length=CONTEXT - 1, rng=rng)
    following = _next_token(model, torch.from_numpy(ids).to(model.device))[1]
    return following[torch.from_numpy(second[:, 1:]).to(model.device)].mean()


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
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    total = recipe.list_steps + recipe.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / recipe.warmup, _decay(step, recipe))
    )
    batches = _batches(recipe, tokenizer)
    rng = np.random.default_rng([recipe.seed, recipe.steps])
    curve: list[dict[str, float]] = []
    running = 0.0
    for step in range(1, total + 1):
        alone = step <= recipe.list_steps
        optimizer.zero_grad()
        lists = recipe.lists if alone else recipe.lists // 4
        loss = _list_loss(model, tokenizer, lists, rng)
        loss.backward()
        running += float(loss.detach())
        examples = [] if alone else sorted(next(batches), key=lambda example: len(example.ids))
        size = -(-recipe.batch // recipe.pieces)
        for start in range(0, len(examples), size):
            piece = examples[start : start + size]
            loss = _loss(model, piece, len(examples), recipe.prompt_loss)
            loss.backward()
            running += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == total:
            curve.append({"step": step, "loss": round(running / (step - _previous(curve)), 4)})
            running = 0.0
            if report is not None:
                report(curve[-1], model, tokenizer)
    return model.eval(), tokenizer, curve


def _decay(step: int, recipe: Recipe) -> float:
    """Full rate on lists alone, then half a cosine down to zero."""
    done = max(0, step - recipe.list_steps) / recipe.steps
    return 0.5 * (1 + float(np.cos(np.pi * done)))


def _previous(curve: list[dict[str, float]]) -> int:
    return int(curve[-1]["step"]) if curve else 0


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
    parser = argparse.ArgumentParser(description="Train one pocket model.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--list-steps", type=int, default=Recipe.list_steps)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    recipe = Recipe(seed=given.seed, steps=given.steps, list_steps=given.list_steps)
    wall, cpu = time.time(), time.process_time()

    def report(point: dict[str, float], model: Any, tokenizer: Any) -> None:
        line = f"step {point['step']:>5}  loss {point['loss']:.3f}  {time.time() - wall:.0f} s"
        if point["step"] % 500 == 0:
            scores = held_out_scores(model, tokenizer, _pocket_tasks(), n=100)
            line += "".join(f"  {key} {s['accuracy']:.2f}" for key, s in scores.items())
        print(line, file=sys.stderr, flush=True)

    model, tokenizer, curve = train(recipe, device=given.device, report=report)
    log = {
        "recipe": asdict(recipe),
        "shares": SHARES,
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out": held_out_scores(model, tokenizer, _pocket_tasks(), n=1000),
        "curve": curve,
        "seconds_wall": round(time.time() - wall, 1),
        "seconds_cpu": round(time.process_time() - cpu, 1),
        "device": given.device,
        "threads": given.threads,
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    save(given.out, model, tokenizer, log)
    print(json.dumps(log["held_out"], indent=1))


if __name__ == "__main__":
    main()
