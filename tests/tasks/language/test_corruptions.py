"""Random words in text, and Gaussian noise as a record that the model side applies."""

import numpy as np
import pytest
import torch

from circuitvar.tasks.language.corruptions import (
    embedding_noise,
    noise_positions,
    random_token,
    with_noise,
)
from circuitvar.tasks.language.words import NOUNS
from circuitvar.tasks.tokens.batching import TokenRow, pack, take
from circuitvar.tasks.types import GaussianNoise

ROWS = [
    TokenRow((1, 2, 3), (1, 4, 3), (7,), (8,), 0, roles={"S1": (1,), "IO": (2,)}),
    TokenRow((5, 6, 7, 8), (5, 6, 7, 9), (7,), (8,), 1, roles={"S1": (2,)}),
]


def test_only_the_spans_change_and_digits_stay_digits():
    text = random_token("in 1732 the war", [(5, 7), (12, 15)], rng=np.random.default_rng(0))
    assert text.startswith("in 17")
    assert text[5:7].isdigit()
    assert text[5:7] != "32"
    assert text[7:12] == " the "
    assert text[12:] in NOUNS


def test_noise_is_on_the_marked_positions_only_with_the_asked_size():
    batch = pack([TokenRow((1,) * 40, (1,) * 40, (1,), (2,), 3, roles={"S1": tuple(range(30))})])
    noise = embedding_noise(batch, GaussianNoise(2.0, ("S1",)), width=500, embedding_sd=0.5)
    assert noise[0, 30:].abs().max() == 0
    np.testing.assert_allclose(noise[0, :30].std().item(), 1.0, rtol=0.03)
    assert with_noise(batch, 2.0, roles=("S1",)).corrupt.equal(batch.clean)


def test_noise_does_not_depend_on_batching_or_padding_and_scales():
    noise = GaussianNoise(1.0, ("S1", "IO"))
    right = embedding_noise(pack(ROWS), noise, width=4, embedding_sd=1.0)
    left = embedding_noise(pack(ROWS, padding_side="left"), noise, width=4, embedding_sd=1.0)
    torch.testing.assert_close(right[0, :3], left[0, 1:])
    alone = embedding_noise(take(pack(ROWS), [1]), noise, width=4, embedding_sd=1.0)
    torch.testing.assert_close(alone[0], right[1])
    double = embedding_noise(
        pack(ROWS), GaussianNoise(2.0, ("S1", "IO")), width=4, embedding_sd=1.0
    )
    torch.testing.assert_close(double, 2 * right)
    other = embedding_noise(
        pack(ROWS), GaussianNoise(1.0, ("S1",), seed=1), width=4, embedding_sd=1
    )
    assert not torch.equal(other[0, 1], right[0, 1])
    assert noise_positions(pack(ROWS), noise).tolist() == [
        [False, True, True, False],
        [False, False, True, False],
    ]


def test_unknown_roles_are_named():
    with pytest.raises(ValueError, match="names role 'VERB', but the batch has: S1, IO, END"):
        noise_positions(pack(ROWS), GaussianNoise(1.0, ("VERB",)))
    with pytest.raises(ValueError, match="needs at least one role"):
        noise_positions(pack(ROWS), GaussianNoise())
