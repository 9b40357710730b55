"""Attention-only models saved by TransformerLens itself, such as `attn-only-4l`.

The docstring circuit (Heimersheim and Janiak 2023) was found in one. Such a folder or hub
repository holds `config.json` with TransformerLens fields and one `*final.pth` of named tensors;
it is no Hugging Face model, so the weights are put into a GPT-2 without MLPs, which computes the
same function. The file is read with `weights_only=True`: tensors, no pickled code.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from circuitvar.circuits.model.mlp import NoMLP

HUB_NAMES = {
    f"attn-only-{layers}l": f"NeelNanda/Attn_Only_{layers}L512W_C4_Code" for layers in (1, 2, 3, 4)
}
"""The short names of TransformerLens, and the repositories behind them."""

UNUSED = ("attn.mask", "attn.IGNORE")
"""Endings of constants that were saved with the weights."""


def is_attention_only(source: str) -> bool:
    """Whether a hub name or a folder holds a model of this kind."""
    if source.lower() in HUB_NAMES or source in HUB_NAMES.values():
        return True
    config = Path(source) / "config.json"
    return config.is_file() and bool(json.loads(config.read_text("utf-8")).get("attn_only"))


def load_attention_only(source: str, *, revision: str | None = None) -> tuple[nn.Module, Any]:
    """A GPT-2 without MLPs that computes the saved model, in float32, and its tokenizer.

    The tokenizer is read from the folder or, if it has none, by the name in its configuration;
    None where neither is there.

    Raises
    ------
    ValueError
        Files are missing, the configuration asks for what GPT-2 does not do, or tensors are
        missing or have another shape than the configuration says.
    """
    config, state, tokenizer_source = _read(source, revision)
    return build(config, state, source), _tokenizer(tokenizer_source)


def build(config: dict[str, Any], state: dict[str, Tensor], name: str) -> nn.Module:
    """The GPT-2 of a TransformerLens configuration and its tensors; `name` is for messages."""
    from transformers import GPT2Config, GPT2LMHeadModel

    _check_config(config, name)
    norms = config.get("normalization_type", "LN") is not None
    vocab, d_model = config["d_vocab"], config["d_model"]
    shape = GPT2Config(
        vocab_size=vocab,
        n_positions=config["n_ctx"],
        n_embd=d_model,
        n_layer=config["n_layers"],
        n_head=config["n_heads"],
        # Removed below; one hidden unit costs nothing until then.
        n_inner=1,
        layer_norm_epsilon=config.get("eps", config.get("ln_eps", 1e-5)),
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        hf: Any = GPT2LMHeadModel(shape)
        hf.lm_head = nn.Linear(d_model, vocab)
    base = hf.transformer
    for block in base.h:
        block.mlp, block.ln_2 = NoMLP(), nn.Identity()
        if not norms:
            block.ln_1 = nn.Identity()
    if not norms:
        base.ln_f = nn.Identity()
    _fill(hf, state, name)
    return hf.eval()


def _read(source: str, revision: str | None) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    folder = Path(source)
    if not folder.is_dir():
        folder = _download(HUB_NAMES.get(source.lower(), source), revision)
    weights = sorted(folder.glob("*final.pth"))
    if len(weights) != 1:
        raise ValueError(
            f"{source!r} holds {len(weights)} files named *final.pth; an attention-only model "
            "saved by TransformerLens has exactly one."
        )
    config = json.loads((folder / "config.json").read_text("utf-8"))
    state = torch.load(weights[0], map_location="cpu", weights_only=True)
    own = any((folder / file).is_file() for file in ("tokenizer.json", "vocab.json"))
    return config, state, str(folder) if own else config.get("tokenizer_name") or ""


def _download(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            repository, revision=revision, allow_patterns=["config.json", "*final.pth"]
        )
    except Exception as error:  # the hub raises a dozen kinds; all mean the same here
        raise ValueError(
            f"model {repository!r} was not found on the Hugging Face hub or in its local cache "
            f"({type(error).__name__}); is the hub reachable and HF_HUB_OFFLINE unset?"
        ) from None
    return Path(found)


def _tokenizer(source: str) -> Any:
    from transformers import AutoTokenizer

    if not source:
        return None
    try:
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except OSError:
        raise ValueError(
            f"the tokenizer {source!r} was not found on the Hugging Face hub or in its local "
            "cache; save it into the model's folder, or unset HF_HUB_OFFLINE."
        ) from None


def _check_config(config: dict[str, Any], name: str) -> None:
    expected = ("n_layers", "n_heads", "d_model", "d_head", "d_vocab", "n_ctx")
    missing = [key for key in expected if key not in config]
    if missing:
        raise ValueError(f"config.json of {name!r} lacks {', '.join(missing)}.")
    allowed = {
        "attn_only": (True,),
        "positional_embedding_type": ("standard",),
        "attention_dir": ("causal",),
        "use_attn_scale": (True,),
        "normalization_type": ("LN", "LNPre", None),
        "d_vocab_out": (config["d_vocab"], -1, None),
        "d_head": (config["d_model"] / config["n_heads"],),
        "scale_attn_by_inverse_layer_idx": (False,),
        "use_local_attn": (False,),
        "gated_mlp": (False,),
    }
    for key, values in allowed.items():
        if config.get(key, values[0]) not in values:
            raise ValueError(
                f"config.json of {name!r} has {key} = {config[key]!r}; only "
                f"{' or '.join(map(str, values))} can be loaded."
            )


def _fill(hf: Any, state: dict[str, Tensor], name: str) -> None:
    """Copy every tensor once; each must have its shape, none may be left over."""
    base, left = hf.transformer, {k: v for k, v in state.items() if not k.endswith(UNUSED)}
    heads, d_model = base.config.n_head, base.config.n_embd
    shapes = {"W": (heads, d_model, d_model // heads), "b": (heads, d_model // heads)}

    def take(key: str, shape: tuple[int, ...], otherwise: float | None = None) -> Tensor:
        found = left.pop(key, None)
        if found is None and otherwise is not None:
            return torch.full(shape, otherwise)
        if found is None:
            raise ValueError(f"the weights of {name!r} lack {key!r}.")
        if found.shape != shape:
            raise ValueError(
                f"{key!r} of {name!r} has shape {tuple(found.shape)}, its configuration says "
                f"{shape}."
            )
        return found.float()

    def norm(module: nn.Module, key: str) -> None:
        if not isinstance(module, nn.Identity):
            module.weight.copy_(take(f"{key}.w", (d_model,), 1.0))  # type: ignore[operator]
            module.bias.copy_(take(f"{key}.b", (d_model,), 0.0))  # type: ignore[operator]

    with torch.no_grad():
        base.wte.weight.copy_(take("embed.W_E", tuple(base.wte.weight.shape)))
        base.wpe.weight.copy_(take("pos_embed.W_pos", tuple(base.wpe.weight.shape)))
        for layer, block in enumerate(base.h):
            at = f"blocks.{layer}.attn."
            norm(block.ln_1, f"blocks.{layer}.ln1")
            weights = [take(f"{at}W_{slot}", shapes["W"]) for slot in "QKV"]
            biases = [take(f"{at}b_{slot}", shapes["b"], 0.0) for slot in "QKV"]
            # GPT-2 stores heads side by side, as y = x W.
            columns = [weight.transpose(0, 1).flatten(1) for weight in weights]
            block.attn.c_attn.weight.copy_(torch.cat(columns, dim=1))
            block.attn.c_attn.bias.copy_(torch.cat([bias.flatten() for bias in biases]))
            out = take(f"{at}W_O", (heads, d_model // heads, d_model))
            block.attn.c_proj.weight.copy_(out.flatten(0, 1))
            block.attn.c_proj.bias.copy_(take(f"{at}b_O", (d_model,), 0.0))
        norm(base.ln_f, "ln_final")
        vocab = hf.lm_head.out_features
        hf.lm_head.weight.copy_(take("unembed.W_U", (d_model, vocab)).T)
        hf.lm_head.bias.copy_(take("unembed.b_U", (vocab,), 0.0))
    if left:
        raise ValueError(
            f"the weights of {name!r} hold {len(left)} tensors that an attention-only model does "
            f"not have, {sorted(left)[0]!r} among them."
        )
