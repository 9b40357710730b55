"""Hooks act in every run or are refused while they are set."""

import numpy as np
import pytest

from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.types import Method
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model

FAMILIES = ("gpt2", "llama", "gemma2")


def parts(model, layer=1):
    """What runs do not call: the layer, its attention, the unembedding."""
    block = getattr(model.architecture.base, model.architecture.layers_name)[layer]
    attention = getattr(block, "attn", None) or block.self_attn
    return block, attention, model.architecture.unembed


def scored(model):
    return score_edges(model, toy_batch(2), get_method("eap"), metric=LOGIT_DIFF)


def evaluated(model):
    whole = np.ones((1, model.graph.n_edges), dtype=bool)
    return evaluate_masks(model, whole, toy_batch(2), metric="logit_diff")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_idle_hooks_are_refused_while_they_are_set(family, which, kind):
    model = toy_model(family)
    module = parts(model)[which]
    handle = getattr(module, f"register_{kind}_hook")(lambda *_: None)
    try:
        for run in (
            lambda: scored(model),
            lambda: evaluate_masks(
                model,
                np.ones((1, model.graph.n_edges), dtype=bool),
                toy_batch(2),
                metric="logit_diff",
            ),
        ):
            with pytest.raises(ValueError, match=f"set on {type(module).__name__}, which scores"):
                run()
    finally:
        handle.remove()
    scored(model)


def test_a_method_that_relies_on_such_a_hook_is_refused():
    def fn(model, batch, *, metric, options):
        handle = parts(model)[1].register_forward_hook(lambda module, _, out: None)
        try:
            return get_method("eap").fn(model, batch, metric=metric, options=options)
        finally:
            handle.remove()

    own = Method("own", "Own", fn, "user")
    with pytest.raises(ValueError, match="so it would have no effect; remove it"):
        score_edges(toy_model("gpt2"), toy_batch(2), own, metric=LOGIT_DIFF)


@pytest.mark.parametrize("family", FAMILIES)
def test_hooks_on_projections_act(family):
    model, seen = toy_model(family), []
    plain = scored(model).values
    layer = model.architecture.layers[1]

    def halve(module, given, out):
        seen.append(1)
        return out / 2

    handle = layer.output.register_forward_hook(halve)
    try:
        changed = scored(model).values
    finally:
        handle.remove()
    assert seen and abs(changed - plain).max() > 1e-6


def test_hooks_of_the_bridge_are_refused_while_they_are_set(pocket):
    bridge = pocket.bridge
    evaluated(pocket)
    same = [("blocks.0.attn.hook_out", lambda value, hook: value)]
    with (
        bridge.hooks(fwd_hooks=same),
        pytest.raises(ValueError, match=r"blocks\.0\.attn.* of the TransformerLens bridge"),
    ):
        evaluated(pocket)
    evaluated(pocket)


@pytest.mark.parametrize("family", FAMILIES)
def test_hooks_that_transformers_leaves_are_its_own(family):
    model, batch = toy_model(family), toy_batch(2)
    model.hf(batch.clean, output_hidden_states=True)
    scored(model)
