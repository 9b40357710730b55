"""A Hugging Face decoder in memory, as a `Model` whose logits are checked."""

from typing import Any

from torch import nn

from circuitvar.circuits.loading.self_check import require_self_check
from circuitvar.circuits.model import FAMILIES, Model, check_logits, describe


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
