"""Concept columns, worked out by hand on a small batch."""

import numpy as np
import pytest

from circuitvar.tasks.language.concepts import concept_columns
from circuitvar.tasks.language.ioi import IOI
from circuitvar.tasks.pocket.tokenizer import build_tokenizer
from circuitvar.tasks.tokens.batching import TokenRow, pack
from circuitvar.tasks.tokens.tokens import tokenize

TEXT = {0: "<bos>", 1: " Mary", 2: " went", 3: ",", 4: " 17", 5: "the", 6: " apple"}
ROWS = [
    TokenRow((0, 1, 2, 1, 2), (0,) * 5, (3,), (4,), 0, "t1", {"S1": (1,), "S2": (3,)}),
    TokenRow((0, 4, 5, 3), (0,) * 4, (3,), (4,), 1, "t2", {"IO": (1,)}),
]
EXPECTED = {
    "role:S1": [1, 0, 0, 0, 0, 0, 0],
    "role:END": [0, 0, 0, 1, 0, 0, 1],
    "position:2": [0, 1, 0, 0, 0, 1, 0],
    "position:from_end": [3, 2, 1, 0, 2, 1, 0],
    "class:name": [1, 0, 1, 0, 0, 0, 0],
    "class:function_word": [0, 0, 0, 0, 0, 1, 0],
    "class:punctuation": [0, 0, 0, 0, 0, 0, 1],
    "class:leading_space": [1, 1, 1, 1, 1, 0, 0],
    "token: went": [0, 1, 0, 1, 0, 0, 0],
    "history:occurrence": [1, 1, 2, 2, 1, 1, 1],
    "history:duplicate": [0, 0, 1, 1, 0, 0, 0],
    "history:after_S1": [0, 1, 0, 0, 0, 0, 0],
    "history:after_IO": [0, 0, 0, 0, 0, 1, 0],
}


@pytest.mark.parametrize("side", ["right", "left"])
def test_columns_worked_out_by_hand(side):
    table = concept_columns(pack(ROWS, padding_side=side), TEXT.__getitem__)
    assert table.example.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert table.templates == ("t1",) * 4 + ("t2",) * 3
    for name, values in EXPECTED.items():
        # Columns with equal values are merged under the name that comes first.
        twin = [
            n
            for n, column in zip(table.names, table.values.T, strict=True)
            if np.array_equal(column, values)
        ]
        assert len(twin) == 1, name
    assert len(set(table.names)) == len(table.names) == table.values.shape[1]


def test_induction_match_marks_the_second_copy_of_a_pair():
    table = concept_columns(pack(ROWS[:1]), TEXT.__getitem__)
    match = [0, 0, 0, 1]
    assert any(np.array_equal(column, match) for column in table.values.T)


def test_no_constant_or_repeated_columns_on_real_prompts():
    tokenizer = build_tokenizer()
    batch = tokenize(IOI.sample(60, rng=np.random.default_rng(0)), tokenizer).batch
    table = concept_columns(batch, lambda token: tokenizer.decode([token]))
    assert np.ptp(table.values, axis=0).min() > 0
    assert len(np.unique(table.values.T, axis=0)) == len(table.names)
    assert table.values.shape[0] == int(batch.mask.sum()) - len(batch)
    assert {"role:IO", "role:S2", "class:name", "history:duplicate"} <= set(table.names)


def test_bos_can_be_kept_and_empty_input_is_an_error():
    whole = concept_columns(pack(ROWS), TEXT.__getitem__, skip_first=False)
    assert len(whole.example) == 9
    single = pack([TokenRow((0,), (1,), (1,), (2,), 0)])
    with pytest.raises(ValueError, match="no tokens to describe"):
        concept_columns(single, TEXT.__getitem__)
    with pytest.raises(ValueError, match="every concept is constant"):
        concept_columns(single, TEXT.__getitem__, skip_first=False)
