"""Loading: every family from a folder, what the graph and the digest are, and clear refusals."""

import json

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.loading.load import load_model, wrap
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model.architecture import NoMLP, describe
from circuitvar.circuits.model.trunk import at_last, logits_at, run_tokens
from circuitvar.circuits.scores import measure_behaviour, score_edges
from tests.circuits.toy_scoring import (
    CONFIGS,
    FAMILIES,
    LOGIT_DIFF,
    build,
    save,
    toy_batch,
    toy_model,
)


def edges_by_formula(n_layers: int, n_heads: int, n_kv: int, parallel: bool) -> int:
    before = [1 + layer * (n_heads + 1) for layer in range(n_layers)]
    per_layer = [(n_heads + 2 * n_kv) * n + n + n_heads * (not parallel) for n in before]
    return sum(per_layer) + 1 + n_layers * (n_heads + 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_loads_from_its_folder_with_the_right_graph(family, tmp_path):
    hf = build(family)
    model = load_model(str(save(hf, tmp_path / family)))
    n_kv = CONFIGS[family][1].get("num_key_value_heads", 4)
    assert model.graph.n_edges == edges_by_formula(3, 4, n_kv, family == "gpt_neox")
    assert model.tokenizer is None
    batch = toy_batch()
    with torch.no_grad():
        trace, _ = run_tokens(model.architecture, batch.clean, batch.mask)
        ours = logits_at(model.architecture, at_last(trace.final, batch.last))
        theirs = hf(batch.clean).logits[:, -1]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * float(theirs.abs().max()))


def test_digest_depends_on_the_weights_only():
    first, again, other = (
        wrap(build("gpt2", seed=s), name=n) for s, n in [(0, "a"), (0, "b"), (1, "a")]
    )
    assert first.digest == again.digest != other.digest


def test_bridge_shares_parameters_and_leaves_the_model_alone():
    model = wrap(build("llama"), name="toy")
    kinds = [type(module) for module in model.hf.modules()]
    batch = toy_batch()
    with torch.no_grad():
        logits = model.bridge(batch.clean)
        np.testing.assert_allclose(logits, model.hf(batch.clean).logits, atol=1e-5)
    assert [type(module) for module in model.hf.modules()] == kinds
    ours = {p.data_ptr() for p in model.hf.parameters()}
    assert ours <= {p.data_ptr() for p in model.bridge.original_model.parameters()}


def test_identity_norms_and_missing_mlps_are_understood():
    hf = build("gpt2")
    for block in hf.transformer.h:
        block.ln_1, block.ln_2, block.mlp = nn.Identity(), nn.Identity(), NoMLP()
    hf.transformer.ln_f = nn.Identity()
    model = wrap(hf, name="attention only")
    assert not model.graph.has_mlp
    assert model.graph.n_edges == sum(12 * (1 + 4 * layer) for layer in range(3)) + 13


def test_left_padding_changes_nothing():
    from tests.circuits.toy_scoring import padded

    for family in ("gpt2", "gemma2"):
        model, batch = toy_model(family), toy_batch()
        left = padded(batch, 3, "left")
        with torch.no_grad():
            plain = at_last(
                run_tokens(model.architecture, batch.clean, batch.mask)[0].final, batch.last
            )
            shifted = at_last(
                run_tokens(model.architecture, left.clean, left.mask)[0].final, left.last
            )
        np.testing.assert_allclose(shifted, plain, atol=2e-5)


def test_layers_are_put_back_after_an_exception():
    from circuitvar.circuits.model.architecture import enter

    model = toy_model("gpt2")
    blocks = list(model.hf.transformer.h)
    with pytest.raises(RuntimeError):
        enter(model.architecture, torch.zeros(1, 3, 5), torch.ones(1, 3, dtype=torch.bool))
    assert list(model.hf.transformer.h) == blocks


def test_a_model_computed_wrongly_is_refused_with_the_residual():
    hf = build("llama")
    hf.model.layers[1].self_attn.scaling = 0.5
    real = hf.model.layers[1].self_attn.forward
    hf.model.layers[1].self_attn.forward = lambda *a, **k: tuple(
        2 * part if part is not None else None for part in real(*a, **k)
    )
    with pytest.raises(ValueError, match=r"reproduced only to a relative error of \d"):
        wrap(hf, name="odd")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("./no/such/folder", {}, "does not exist"),
        ("some-name-that-is-not-cached", {}, "not found on the Hugging Face hub"),
        ("gpt2", {"dtype": "float8"}, "unknown dtype 'float8'; choose one of float32"),
        ("gpt2", {"device": "abacus"}, "unknown device 'abacus'"),
        ("gpt2", {"device": "cuda:63"}, "not available"),
    ],
)
def test_refusals_say_what_to_do(name, options, message):
    if options.get("device") == "cuda:63" and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ValueError, match=message):
        load_model(name, **options)


def test_folders_that_are_not_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no config\.json"):
        load_model(str(tmp_path))
    build("gpt2").config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="only safetensors are read"):
        load_model(str(tmp_path))


def test_incomplete_and_broken_weights_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    file = save(build("llama"), tmp_path) / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(
        ValueError, match=r"lack 1 tensors, 'model\.layers\.1\.mlp\.up_proj\.weight'"
    ):
        load_model(str(tmp_path))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="could not be read"):
        load_model(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no-such-type"}))
    with pytest.raises(ValueError, match="does not know the configuration"):
        load_model(str(tmp_path))


def test_models_that_are_not_decoders_are_refused(tmp_path):
    transformers.T5Config(d_model=8, num_layers=1).save_pretrained(tmp_path / "t5")
    with pytest.raises(ValueError, match="encoder-decoder"):
        load_model(str(tmp_path / "t5"))
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit" / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(ValueError, match="not a decoder-only language model"):
        load_model(str(tmp_path / "vit"))


def test_unknown_parts_are_named():
    with pytest.raises(ValueError, match="lacks a list of decoder layers"):
        describe(nn.Linear(2, 2))


def test_a_model_in_training_mode_is_refused_wherever_it_runs():
    """Dropout once changed scores by more than their size, and no one was told."""
    model, batch = wrap(build("gpt2"), name="toy"), toy_batch()
    before = score_edges(model, batch, get_method("eap"), metric=LOGIT_DIFF).values
    kept = np.ones((1, model.graph.n_edges), dtype=bool)
    for part in (model.hf, model.hf.transformer.h[1].mlp.dropout):
        part.train()
        for run in (
            lambda: score_edges(model, batch, get_method("eap"), metric=LOGIT_DIFF),
            lambda: score_edges(model, batch, get_method("exact"), metric=LOGIT_DIFF),
            lambda: evaluate_masks(model, kept, batch, metric=LOGIT_DIFF),
            lambda: measure_behaviour(model, batch, metric=LOGIT_DIFF),
        ):
            with pytest.raises(ValueError, match=r"in training mode, .* call `.eval\(\)` on the"):
                run()
        model.hf.eval()
    after = score_edges(model, batch, get_method("eap"), metric=LOGIT_DIFF).values
    np.testing.assert_array_equal(before, after)
