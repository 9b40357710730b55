"""Model access: a Hugging Face decoder, its tokenizer, its graph and its TransformerLens bridge.

`load_model` is the only place that reads weights. Only safetensors are read (and tensors of
`attn-only-4l` and its kin, see `attention_only.py`); no code that comes with a model is run. The
bridge (hook names, reference path) shares the parameters of the Hugging Face model that the fast
path runs, and is built when it is first asked for.
"""

import copy
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model.architecture import FAMILIES, Architecture, describe
from circuitvar.circuits.model.attention_only import is_attention_only, load_attention_only

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DTYPES["float64"] = torch.float64


@dataclass(frozen=True, eq=False)
class Model:
    """A decoder ready to be scored. `hf` is in evaluation mode and is never changed."""

    name: str
    hf: nn.Module
    tokenizer: Any
    """Hugging Face tokenizer, or None: then only pre-tokenized examples can be used."""
    architecture: Architecture
    graph: Graph
    device: str
    dtype: str
    revision: str | None = None

    @cached_property
    def bridge(self) -> Any:
        """The same parameters as a TransformerLens `TransformerBridge`, for hooks by name."""
        from transformer_lens.model_bridge import TransformerBridge

        shared = {id(t): t for t in (*self.hf.parameters(), *self.hf.buffers())}
        twin: Any = copy.deepcopy(self.hf, shared)
        # The bridge picks its adapter by class name, which only saved configurations carry.
        twin.config.architectures = [type(self.hf).__name__]
        bridge = TransformerBridge.boot_transformers(
            self.name,
            hf_model=twin,
            # A copy, because the bridge sets padding and special tokens on it.
            tokenizer=copy.deepcopy(self.tokenizer) or _number_tokenizer(),
            device=self.device,
            dtype=DTYPES[self.dtype],
        )
        module: Any
        for module in bridge.modules():
            if isinstance(getattr(module, "original_component", None), nn.Identity):
                # Hand-set models without norms: call the identity, do not recompute a norm.
                module.use_native_layernorm_autograd = True
        return bridge

    @property
    def context(self) -> int | None:
        """Longest prompt in tokens, None where the architecture sets no limit."""
        config: Any = self.hf.config
        return getattr(config.get_text_config(), "max_position_embeddings", None)

    @property
    def vocab_size(self) -> int:
        """Number of token ids the model knows."""
        return len(self.architecture.embed.weight)  # pyright: ignore[reportArgumentType]

    @cached_property
    def digest(self) -> str:
        """sha256 of every tensor of the model, with names, types and shapes."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.hf.state_dict().items()):
            digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
            flat = tensor.detach().cpu().contiguous().flatten()
            digest.update(flat.view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


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
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}.")
    _check_device(device)
    if name.startswith("planted:"):
        from circuitvar.circuits.loading.planted import load_planted

        return load_planted(name, device=device, dtype=dtype)
    source = _resolve(name)
    if is_attention_only(source):
        hf, tokenizer = load_attention_only(source, revision=revision)
        hf = hf.to(device, DTYPES[dtype])
        return wrap(hf, name=name, tokenizer=tokenizer, revision=revision)
    hf = _load_weights(source, name, dtype=dtype, revision=revision).to(device)
    tokenizer = _load_tokenizer(source, revision)
    return wrap(hf, name=name, tokenizer=tokenizer, revision=revision)


def wrap(hf: nn.Module, *, name: str, tokenizer: Any = None, revision: str | None = None) -> Model:
    """A `Model` from a Hugging Face causal language model that is already in memory.

    Raises
    ------
    ValueError
        The architecture is not understood, or its logits are not reproduced.
    """
    from circuitvar.circuits.loading.self_check import require_self_check
    from circuitvar.circuits.model.trunk import check_logits

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
        from circuitvar.tasks.pocket.paths import pocket_path

        if seed and not seed.isdigit():
            raise ValueError(f"pocket models are named pocket or pocket:SEED, not {name!r}.")
        return str(pocket_path(int(seed or 0)))
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


def _number_tokenizer() -> Any:
    """Stands in where a model has none, because a bridge cannot be built without a tokenizer."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"0": 0}, unk_token="0"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="0", pad_token="0")


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
