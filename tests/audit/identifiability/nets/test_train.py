"""Training many nets at once: same nets whatever is trained beside them, and controls."""

import numpy as np
import pytest
import torch

from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.nets.boolean_net import activations, leaky
from circuitvar.audit.identifiability.nets.question import pose
from circuitvar.audit.identifiability.nets.train import Recipe, train_nets
from circuitvar.tasks.language.boolean import input_rows, truth_table

FAST = Recipe(learning_rate=1e-2)


@pytest.fixture(scope="module")
def nets():
    return train_nets(("xor",), seeds=range(12), recipe=FAST)


def counts(nets) -> np.ndarray:
    return np.array([count_valid(pose(n.net, "xor")).count("paper").value for n in nets])


def test_converged_nets_compute_the_gate(nets):
    good = [n for n in nets if n.converged]
    assert len(good) >= 6
    for one in good:
        out = leaky(activations(one.net, input_rows(2))[-1][:, 0], one.net.slope)
        np.testing.assert_array_equal(np.round(out), truth_table("xor"))
        assert one.loss <= FAST.loss_target and one.accuracy == 1


def test_a_trained_net_has_many_circuits_and_more_than_the_controls(nets):
    good = counts([n for n in nets if n.converged])
    assert np.median(good) > 10 and not (good == 1).any()
    untrained = train_nets(("xor",), seeds=range(12), recipe=Recipe(epochs=0))
    shuffled = train_nets(
        ("xor",), seeds=range(12), recipe=Recipe(learning_rate=1e-2, shuffle_labels=True, epochs=3)
    )
    for control in (untrained, shuffled):
        assert not any(n.converged for n in control)
        assert np.median(counts(control)) == 0


def test_a_seed_does_not_depend_on_its_neighbours(nets):
    alone = train_nets(("xor",), seeds=[5], recipe=FAST)[0]
    assert alone.epochs == nets[5].epochs
    for a, b in zip(alone.net.weights, nets[5].net.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_seed_s_starts_where_torch_starts_it():
    torch_state = torch.random.get_rng_state()
    one = train_nets(("xor",), seeds=[3], recipe=Recipe(epochs=0))[0].net
    assert torch.equal(torch_state, torch.random.get_rng_state())
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layers = [torch.nn.Linear(2, 3), torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)]
    for layer, w, b in zip(layers, one.weights, one.biases, strict=True):
        np.testing.assert_allclose(layer.weight.detach().numpy(), w, atol=1e-7)
        np.testing.assert_allclose(layer.bias.detach().numpy(), b, atol=1e-7)


def test_several_gates_noise_and_skewed_rows():
    recipe = Recipe(learning_rate=1e-2, noise=0.05, row_weights=(2, 1, 1, 1), epochs=2, depth=3)
    one = train_nets(("and", "or"), seeds=[0], recipe=recipe)[0]
    assert one.net.widths == (2, 3, 3, 3, 2) and one.epochs == 2
    assert np.isfinite(one.loss) and one.gates == ("and", "or")


@pytest.mark.parametrize(
    ("gates", "seeds", "recipe", "message"),
    [
        ((), [0], Recipe(), "gates is empty"),
        (("xor",), [], Recipe(), "seeds is empty"),
        (("xor", "parity"), [0], Recipe(), "share their inputs"),
        (("xor",), [0], Recipe(width=0), "must be at least 1"),
        (("xor",), [0], Recipe(row_weights=(1, 2)), "needs 4 positive numbers"),
        (([0, 1, 2, 1],), [0], Recipe(), "only 0 and 1"),
    ],
)
def test_errors_say_what_to_do(gates, seeds, recipe, message):
    with pytest.raises(ValueError, match=message):
        train_nets(gates, seeds=seeds, recipe=recipe)
