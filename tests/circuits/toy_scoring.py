"""Random-weight models of every supported family, small enough to score exhaustively."""

from functools import cache
from pathlib import Path

import torch
import transformers
from torch import nn

from circuitvar.circuits.loading.load import wrap
from circuitvar.circuits.model.model import Model
from circuitvar.circuits.types import Scored
from circuitvar.tasks.types import Batch, Metric

SHAPE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 40}
ROPE = {**SHAPE, "intermediate_size": 24, "max_position_embeddings": 64}
GROUPED = {**ROPE, "num_key_value_heads": 2, "head_dim": 4}
GEMMA = {**GROUPED, "query_pre_attn_scalar": 5, "sliding_window": 4}
CONFIGS = {
    "gpt2": (
        "GPT2",
        {"n_embd": 16, "n_layer": 3, "n_head": 4, "vocab_size": 40, "n_positions": 64},
    ),
    "gpt_neox": ("GPTNeoX", ROPE),
    "gpt_neox_sequential": ("GPTNeoX", {**ROPE, "use_parallel_residual": False}),
    "llama": ("Llama", GROUPED),
    "mistral": ("Mistral", {**GROUPED, "sliding_window": 5}),
    "qwen2": ("Qwen2", {k: v for k, v in GROUPED.items() if k != "head_dim"}),
    "qwen3": ("Qwen3", GROUPED),
    "gemma2": ("Gemma2", {**GEMMA, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}),
    "gemma3": (
        "Gemma3Text",
        {**GEMMA, "layer_types": ["sliding_attention"] * 2 + ["full_attention"]},
    ),
}
FAMILIES = tuple(CONFIGS)


def build(family: str, *, seed: int = 0, **changes: object) -> nn.Module:
    """A Hugging Face model with weights large enough that nothing is near-linear."""
    name, shape = CONFIGS[family]
    dropout = {key: 0.0 for key in ("attn_pdrop", "embd_pdrop", "resid_pdrop") if name == "GPT2"}
    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    config = getattr(transformers, f"{name}Config")(**{**shape, **dropout, **special, **changes})
    heads = {"Gemma3Text": "Gemma3ForCausalLM", "GPT2": "GPT2LMHeadModel"}
    model_class = heads.get(name, f"{name}ForCausalLM")
    generator = torch.Generator().manual_seed(seed)
    model = getattr(transformers, model_class)(config)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = parameter.ndim == 1 and "norm" in path.replace("ln_", "norm_")
            if is_norm and path.endswith("weight"):
                parameter.add_(0.2 * noise)
            else:
                parameter.copy_((0.1 if parameter.ndim == 1 else 0.35) * noise)
    return model.eval()


@cache
def toy_model(family: str, seed: int = 0) -> Model:
    return wrap(build(family, seed=seed), name=f"toy-{family}")


def toy_batch(n: int = 3, length: int = 7, *, seed: int = 0, vocab: int = 40) -> Batch:
    """Random prompts without padding; twins differ from position 2 on."""
    generator = torch.Generator().manual_seed(seed)
    clean = torch.randint(1, vocab, (n, length), generator=generator)
    corrupt = clean.clone()
    corrupt[:, 2] = clean[:, 2] % (vocab - 1) + 1
    corrupt[:, 4] = clean[:, 4] % (vocab - 1) + 1
    answers = torch.randint(1, vocab, (n, 2), generator=generator)
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


def padded(batch: Batch, extra: int, side: str, pad: int = 0) -> Batch:
    """The same examples with `extra` padding tokens on one side."""
    n = len(batch)
    fill = torch.full((n, extra), pad)
    off = torch.zeros((n, extra), dtype=torch.bool)
    left = side == "left"

    def widen(tokens: torch.Tensor, filler: torch.Tensor) -> torch.Tensor:
        return torch.cat((filler, tokens) if left else (tokens, filler), dim=1)

    return Batch(
        clean=widen(batch.clean, fill),
        corrupt=widen(batch.corrupt, fill),
        mask=widen(batch.mask, off),
        answers=batch.answers,
        wrong_answers=batch.wrong_answers,
        last=batch.last + extra * left,
        index=batch.index,
        templates=batch.templates,
    )


def _logit_diff(logits, batch, reference=None):
    right = logits.gather(1, batch.answers).mean(1)
    return right - logits.gather(1, batch.wrong_answers).mean(1)


def _kl(logits, batch, reference=None):
    p, q = reference.log_softmax(-1), logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


LOGIT_DIFF = Metric("logit_diff", "logit difference", _logit_diff, "logits", answers_only=True)
KL = Metric("kl", "KL", _kl, "nats", higher_is_better=False, needs_reference=True)


def save(model: nn.Module, folder: Path) -> Path:
    model.save_pretrained(folder)  # type: ignore[operator]
    return folder


def matrix_of(found):
    """Scores as a method returns them, with the metric of its runs or without."""
    return found.values if isinstance(found, Scored) else found
