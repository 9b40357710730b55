"""Arrays from files, and head outputs along a direction."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from circuitvar.audit.neurons.data.array_files import open_array
from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.on_models.adapters import answer_direction
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.circuits.units.unit_activations import head_outputs_along
from tests.circuits.toy_scoring import FAMILIES, padded, toy_batch, toy_model


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_give_the_same_audit_as_arrays_and_are_not_changed(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (200, 3)).astype(np.uint8)
    acts = (labels[:, [1]] + 0.3 * rng.normal(size=(200, 2))).astype(np.float32)
    groups = np.repeat(np.arange(100), 2)
    files = [tmp_path / n for n in ("acts.safetensors", "concepts.npy", "groups.npy")]
    save_file({"acts": acts}, files[0])
    np.save(files[1], labels)
    np.save(files[2], groups)
    before = [_digest(f) for f in files]
    options = NeuronOptions(linear=None, perturbations=None)
    mapped = audit_neurons(probing_set(files[0], files[1], groups=str(files[2])), options)
    arrays = audit_neurons(probing_set(acts, labels, groups=groups), options)
    assert mapped.units.equals(arrays.units)
    assert [_digest(f) for f in files] == before


def test_a_mapped_array_cannot_be_written(tmp_path):
    save_file({"a": np.ones((2, 2)), "b": np.arange(3)}, tmp_path / "two.safetensors")
    mapped = open_array(tmp_path / "two.safetensors", key="a")
    assert not mapped.flags.writeable
    assert open_array(tmp_path / "two.safetensors", key="b").tolist() == [0, 1, 2]


def test_unusable_files_are_named(tmp_path):
    two, half, short = (tmp_path / f"{n}.safetensors" for n in ("two", "half", "short"))
    save_file({"a": np.ones(2), "b": np.ones(2)}, two)
    with pytest.raises(ValueError, match="2 tensors"):
        open_array(two)
    with pytest.raises(ValueError, match="no tensor 'c'"):
        open_array(two, key="c")
    from safetensors.torch import save_file as save_torch

    save_torch({"a": torch.ones(2, dtype=torch.bfloat16)}, half)
    with pytest.raises(ValueError, match="BF16"):
        open_array(half)
    short.write_bytes(two.read_bytes()[:-8])
    with pytest.raises(ValueError, match="cut short"):
        open_array(short, key="b")
    short.write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="no safetensors header"):
        open_array(short)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be mapped"):
        open_array(tmp_path / "objects.npy")
    with pytest.raises(ValueError, match="not a file"):
        open_array(tmp_path / "missing.npy")
    (tmp_path / "acts.csv").write_text("1")
    with pytest.raises(ValueError, match="csv"):
        open_array(tmp_path / "acts.csv")


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_along_a_direction_add_up_to_the_attention_output(family):
    model, batch = toy_model(family), toy_batch()
    direction = torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    acts, names = head_outputs_along(model, batch, direction, batch_size=2)
    out = {}
    layer = model.architecture.layers[1].output
    handle = layer.register_forward_hook(lambda _, __, y: out.update(y=y.detach()))
    head_outputs_along(model, batch, direction)
    handle.remove()
    bias = getattr(layer, "bias", None)
    plain = out["y"] if bias is None else out["y"] - bias.detach()
    total = acts[..., [n.startswith("a1.") for n in names]].sum(axis=-1)
    np.testing.assert_allclose(total, (plain @ direction[0]).numpy(), atol=1e-4)
    wide = padded(batch, 2, "left")
    moved, _ = head_outputs_along(model, wide, direction)
    np.testing.assert_allclose(moved[wide.mask.numpy()], acts[batch.mask.numpy()], atol=1e-4)


def test_the_answer_direction_is_one_row_per_prompt():
    model, batch = toy_model("gpt2"), toy_batch()
    table = model.architecture.unembed.weight.detach()
    first = batch.answers[0][batch.answers[0] >= 0]
    wrong = batch.wrong_answers[0][batch.wrong_answers[0] >= 0]
    expected = table[first].mean(0) - table[wrong].mean(0)
    torch.testing.assert_close(answer_direction(model, batch)[0], expected)
    with pytest.raises(ValueError, match="direction has shape"):
        head_outputs_along(model, batch, torch.ones(1, 3))
