"""Models by hub name, folder, pocket seed or planted key: the only place that reads weights.

Only safetensors are read (and tensors of `attn-only-4l` and its kin, see `attention_only.py`); no
code that comes with a model is run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from circuitvar.circuits.loading.self_check import require_self_check
from circuitvar.circuits.model import (
    DTYPES,
    FAMILIES,
    HUB_NAMES,
    Model,
    NoMLP,
    check_logits,
    describe,
    is_attention_only,
    load_attention_only,
)
from circuitvar.tasks.lookup import near, unknown
from circuitvar.tasks.planted import build_gpt2, get_planted, word_tokenizer
from circuitvar.tasks.pocket import pocket_path


def load_model(
    name: str, *, device: str = "cpu", dtype: str = "float32", revision: str | None = None
) -> Model:
    """Load a decoder by hub name, local folder, pocket seed or planted key.

    Pocket models are named `pocket` or `pocket:3`, planted ones `planted:two-route`; the
    attention-only models of TransformerLens `attn-only-1l` to `attn-only-4l`.
    A folder without tokenizer files loads with `tokenizer=None`.

    Raises
    ------
    ValueError
        Unknown folder or hub name, no safetensors, not a decoder, unknown dtype or device, or
        an architecture that this package would compute wrongly (with the residual).
    """
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    _check_device(device)
    if name.startswith("planted:"):
        return load_planted(name, device=device, dtype=dtype)
    source = _resolve(name)
    if is_attention_only(source):
        hf, tokenizer = load_attention_only(source, revision=revision)
        hf = hf.to(device, DTYPES[dtype])
        return wrap(hf, name=name, tokenizer=tokenizer, revision=revision)
    hf = _load_weights(source, name, dtype=dtype, revision=revision).to(device)
    tokenizer = _load_tokenizer(source, revision)
    return wrap(hf, name=name, tokenizer=tokenizer, revision=revision)


def load_planted(key: str, *, device: str = "cpu", dtype: str = "float32") -> Model:
    """The planted model `key` (`induction`, `two-route`, `gated`, `noise` or `integer`).

    Its true circuit is `get_planted(key).task.known_edges`, its exact effects on any prompt are
    `get_planted(key).effects(pair)`. Attention-only models have no MLP nodes.

    >>> load_planted("induction").graph.has_mlp
    False

    Raises
    ------
    ValueError
        Unknown key or dtype.
    """
    planted = get_planted(key)
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    weights = planted.weights()
    hf: Any = build_gpt2(weights)
    for block, layer in zip(hf.transformer.h, weights.layers, strict=True):
        if not layer.mlp_in.shape[1]:
            block.mlp = NoMLP()
    name = f"planted:{planted.key}"
    tokenizer = word_tokenizer(planted.vocabulary, name=name)
    return wrap(hf.to(device, DTYPES[dtype]), name=name, tokenizer=tokenizer)


def wrap(hf: nn.Module, *, name: str, tokenizer: Any = None, revision: str | None = None) -> Model:
    """A `Model` from a Hugging Face causal language model that is already in memory.

    Raises
    ------
    ValueError
        The architecture is not understood, or its logits are not reproduced.
    """
    hf.eval()
    for config in {id(c): c for c in (hf.config, describe(hf).base.config)}.values():  # type: ignore
        # Eager attention: masks are always materialised, so that they can be sliced by position.
        config._attn_implementation = "eager"  # type: ignore[union-attr]
    architecture = describe(hf)
    parameter = next(hf.parameters())
    model = Model(
        name=name,
        hf=hf,
        tokenizer=tokenizer,
        architecture=architecture,
        graph=architecture.graph,
        device=str(parameter.device),
        dtype=str(parameter.dtype).removeprefix("torch."),
        revision=revision,
    )
    check_logits(model)
    if architecture.base.config.model_type not in FAMILIES:  # type: ignore[union-attr]
        require_self_check(model)
    return model


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ValueError(f"unknown device {device!r}; use cpu, cuda, cuda:1 or mps.") from None
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(kind, False):
        raise ValueError(f"device {device!r} is not available on this machine; use device='cpu'.")


def _resolve(name: str) -> str:
    """Hub name or folder behind `name`."""
    kind, _, seed = name.partition(":")
    if kind == "pocket" and not Path(name).exists():
        if seed and not seed.isdigit():
            raise ValueError(f"pocket models are named pocket or pocket:SEED, not {name!r}.")
        return str(pocket_path(int(seed or 0)))
    _refuse_misspelt(name)
    looks_local = name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ValueError(f"model folder {name!r} has no config.json.")
        return str(path)
    if looks_local or path.exists():
        raise ValueError(
            f"model folder {name!r} does not exist or is not a folder; give a folder with "
            "config.json and model.safetensors, a hub name such as gpt2, or pocket:0."
        )
    return name


SHORT = (
    *("pocket", "planted", *HUB_NAMES),
    *("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2", "openai-gpt"),
)
"""Models whose names have no owner in front."""


def _refuse_misspelt(name: str) -> None:
    """A name close to a known one is a slip; no network is asked for it."""
    short = name.partition(":")[0]
    if short.lower() not in SHORT and not Path(name).expanduser().exists():
        hint = near(short, SHORT)
        if hint:
            raise ValueError(
                f"unknown model {name!r}{hint} A model of the hub is named owner/name, a local "
                "one by its folder."
            )


def _load_weights(source: str, name: str, *, dtype: str, revision: str | None) -> nn.Module:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        config = _load_config(source, name, revision)
        with _quiet():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                source,
                config=config,
                revision=revision,
                dtype=DTYPES[dtype],
                attn_implementation="eager",
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except OSError as error:
        raise ValueError(_why_not_loaded(name, source, revision, str(error))) from None
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"the weights of {name!r} could not be read: {reason}.") from None
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(
            f"the weights of {name!r} lack {len(missing)} tensors, {missing[0]!r} among them, "
            "which would be filled with random numbers; save the whole model with save_pretrained."
        )
    return model


def _load_config(source: str, name: str, revision: str | None) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    if not Path(source).is_dir():
        _ask_once(source, name, revision)
    try:
        config = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"transformers does not know the configuration of {name!r}: {reason}"
        ) from None
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(f"{name!r} is an encoder-decoder, not a decoder-only language model.")
    if type(config) not in AutoModelForCausalLM._model_mapping.keys():
        raise ValueError(
            f"{name!r} (model type {config.model_type!r}) is not a decoder-only language model."
        )
    return config


def _ask_once(source: str, name: str, revision: str | None) -> None:
    """Ask the hub for a model that is not in the local cache, before it is loaded with retries."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    try:
        if not isinstance(try_to_load_from_cache(source, "config.json", revision=revision), str):
            get_hf_file_metadata(hf_hub_url(source, "config.json", revision=revision))
    except Exception as error:  # The errors of the network differ with the version of the hub.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(_why_not_loaded(name, source, revision, reason)) from error


def _why_not_loaded(name: str, source: str, revision: str | None, error: str) -> str:
    at = f" at revision {revision!r}" if revision else ""
    if Path(source).is_dir():
        if not any(Path(source).glob("*.safetensors*")):
            return (
                f"model folder {name!r} has no .safetensors file; only safetensors are read, so "
                "save the model again with save_pretrained."
            )
        return f"model folder {name!r} could not be read: {error.splitlines()[0]}"
    return (
        f"model {name!r}{at} was not found on the Hugging Face hub or in its local cache (is the "
        "name right, the hub reachable, HF_HUB_OFFLINE unset, access granted, and are there "
        "safetensors?); a local folder or pocket:0 needs no network."
    )


def _load_tokenizer(source: str, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    folder = Path(source)
    files = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
    if folder.is_dir() and not any((folder / file).is_file() for file in files):
        return None
    return AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar while weights load; the user's own setting is put back."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
