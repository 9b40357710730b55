"""How well a model does the pocket tasks on held-out combinations."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from circuitvar.tasks.pocket.held_out import draw_split
from circuitvar.tasks.tokens import chunks, get_metric, tokenize
from circuitvar.tasks.types import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def held_out_scores(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    tasks: tuple[Task, ...],
    *,
    n: int = 500,
    seed: int = 0,
    batch_size: int = 250,
) -> dict[str, dict[str, float]]:
    """Per task: share of held-out prompts answered, and mean probability of all right answers.

    `accuracy` counts a prompt when its best right answer beats its best wrong answer; for
    greater-than the wrong answers are all years up to the start year, so this says that the most
    likely year is valid. `probability` is the total probability of the right answers.
    """
    device = next(model.parameters()).device
    accuracy, log_prob = get_metric("accuracy"), get_metric("log_prob")
    scores: dict[str, dict[str, float]] = {}
    for number, task in enumerate(tasks):
        rng = np.random.default_rng([seed, number])
        pairs = draw_split(task, n, rng=rng, held_out=True)
        right, mass = [], []
        for batch in chunks(tokenize(pairs, tokenizer, minimum=n).batch, batch_size):
            with torch.no_grad():
                hidden = model(
                    input_ids=batch.clean.to(device), attention_mask=batch.mask.long().to(device)
                ).logits
            logits = hidden[torch.arange(len(batch)), batch.last].cpu()
            right.append(accuracy.fn(logits, batch))
            mass.append(log_prob.fn(logits, batch).exp())
        scores[task.key] = {
            "accuracy": float(torch.cat(right).mean()),
            "probability": float(torch.cat(mass).mean()),
        }
    return scores
