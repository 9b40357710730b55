"""A model: a Hugging Face decoder, its tokenizer, its graph and its TransformerLens bridge.

The bridge (hook names, reference path) shares the parameters of the Hugging Face model that the
fast path runs, and is built when it is first asked for.
"""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model.architecture import Architecture
from circuitvar.tasks.shown import Shown

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DTYPES["float64"] = torch.float64
_COSTLY = ("bridge", "digest")
"""What a twin of the same weights need not make again."""


@dataclass(frozen=True, eq=False, repr=False)
class Model(Shown):
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
    store: Path | None = None
    """Folder in which finished runs are kept and found again; None keeps nothing."""

    def keeping(self, folder: Path | str | None) -> "Model":
        """The same model with a store for its runs; with none for None."""
        twin = replace(self, store=None if folder is None else Path(folder))
        known = {name: value for name, value in vars(self).items() if name in _COSTLY}
        vars(twin).update(known)
        return twin

    def _facts(self) -> Mapping[str, object]:
        return {"name": self.name, "edges": self.graph.n_edges, "device": self.device}

    def _details(self) -> Mapping[str, object]:
        size = {"layers": self.graph.n_layers, "heads": self.graph.n_heads}
        return size | {"class": type(self.hf).__name__, "dtype": self.dtype}

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
        points = [module for module in bridge.modules() if hasattr(module, "fwd_hooks")]
        self.architecture.hook_points.extend(points)
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


def _number_tokenizer() -> Any:
    """Stands in where a model has none, because a bridge cannot be built without a tokenizer."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"0": 0}, unk_token="0"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="0", pad_token="0")
