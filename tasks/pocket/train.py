"""Train one pocket model: `python -m circuitvar.tasks.pocket.train --seed 0 --out FOLDER`.

A GPT-2-architecture decoder learns all pocket tasks at once. Loss: cross-entropy at the answer
position against the uniform distribution over right answers, plus a small next-token loss on the
prompt. Induction prompts go on past the answer to the end of the repeated run, each further word
predicted too: with one queried word per prompt induction forms late. One seed fixes the initial
weights, the data and their order.
"""

import argparse
import json
import platform
import re
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
from circuitvar.tasks.pocket.tokenizer import CONTEXT, build_tokenizer
from circuitvar.tasks.types import PromptPair, Task
from circuitvar.tasks.words import NOUNS

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

SHARES = {
    "ioi": 0.2,
    "greater-than": 0.16,
    "agreement": 0.12,
    "pronoun": 0.12,
    "induction": 0.3,
    "capital": 0.1,
}
"""Part of each batch; induction is the slowest to learn."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, besides library versions and the machine."""

    seed: int = 0
    steps: int = 3000
    batch: int = 128
    pieces: int = 4
    """Each batch is sorted by length and run in this many pieces, to waste little on padding."""
    layers: int = 4
    heads: int = 4
    width: int = 96
    learning_rate: float = 3e-3
    warmup: int = 150
    weight_decay: float = 0.05
    prompt_loss: float = 0.1
    """Weight of the next-token loss on tokens before the answer."""


@dataclass(frozen=True)
class Example:
    ids: list[int]
    answers: list[int]
    after: list[int]
    """What follows, the answer first, where the text goes on; else empty."""


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
            [vocabulary[word] for word in _run_after(pair)],
        )
        for ids, pair in zip(encoded, pairs, strict=True)
    ]


def _run_after(pair: PromptPair) -> list[str]:
    """Words that follow the first copy of the queried word without interruption (induction)."""
    roles = {role: (start, end) for role, start, end in pair.roles}
    if "A1" not in roles:
        return []
    run = re.match(r"(?: [a-z]+)+", pair.clean[roles["A1"][1] : roles["A2"][0]])
    words = run[0].split() if run else []
    return words[: next((i for i, word in enumerate(words) if word not in NOUNS), len(words))]


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
    texts = [[*e.ids, *e.after] for e in examples]
    width = max(len(text) for text in texts)
    ids = torch.zeros(n, width, dtype=torch.long)
    target = torch.zeros(n, model.config.vocab_size)
    for i, (example, text) in enumerate(zip(examples, texts, strict=True)):
        ids[i, : len(text)] = torch.tensor(text)
        target[i, example.answers] = 1 / len(example.answers)
    ids, target = ids.to(device), target.to(device)
    last = torch.tensor([len(e.ids) - 1 for e in examples], device=device)
    end = torch.tensor([len(text) - 1 for text in texts], device=device)
    # Right padding: causal attention keeps real tokens clean of it; no mask is needed, but
    # transformers warns without one.
    log_probs = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.log_softmax(-1)
    answer = -(target * log_probs[torch.arange(n, device=device), last]).sum(dim=-1)
    following = -log_probs[:, :-1].gather(2, ids[:, 1:, None])[:, :, 0]
    place = torch.arange(width - 1, device=device)[None]
    prompt = torch.where(place < last[:, None], following, 0.0).sum(dim=1) / last
    after = torch.where((place > last[:, None]) & (place < end[:, None]), following, 0.0).sum(dim=1)
    return (answer + after + prompt_loss * prompt).sum() / total


def _new_model(recipe: Recipe, vocab_size: int) -> "GPT2LMHeadModel":
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=CONTEXT,
        n_embd=recipe.width,
        n_layer=recipe.layers,
        n_head=recipe.heads,
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
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(
            (step + 1) / recipe.warmup,
            0.5 * (1 + np.cos(np.pi * step / recipe.steps)),
        ),
    )
    curve: list[dict[str, float]] = []
    running = 0.0
    for step, examples in enumerate(_batches(recipe, tokenizer), start=1):
        by_length = sorted(examples, key=lambda example: len(example.ids + example.after))
        size = -(-len(by_length) // recipe.pieces)
        optimizer.zero_grad()
        for start in range(0, len(by_length), size):
            piece = by_length[start : start + size]
            loss = _loss(model, piece, len(by_length), recipe.prompt_loss)
            loss.backward()
            running += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == recipe.steps:
            curve.append({"step": step, "loss": round(running / (step - _previous(curve)), 4)})
            running = 0.0
            if report is not None:
                report(curve[-1], model, tokenizer)
    return model.eval(), tokenizer, curve


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
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    recipe = Recipe(seed=given.seed, steps=given.steps)
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
