"""Tokenization: every rule that drops a pair, roles, padding, and cutting batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.tasks.tokens.answers import Unusable, answer_tokens
from circuitvar.tasks.tokens.batching import TokenRow, chunks, pack, take, to_device
from circuitvar.tasks.tokens.tokens import tokenize
from circuitvar.tasks.types import PromptPair
from tests.tasks.toy_tokenizers import byte_tokenizer, word_tokenizer

WORDS = "When Mary John Paul went , gave to the year 17 32 01 33 34 35 02 isn't"
GOOD = PromptPair(
    "When Mary and John went, John gave to".replace(" and", ""),
    "When Mary John went, Paul gave to",
    (" Mary",),
    (" John",),
    template="t1",
    roles=(("IO", 5, 9), ("S1", 10, 14), ("S2", 21, 25)),
)
BYTES = replace(GOOD, answers=("Mary",), wrong_answers=("John",))
"""For a tokenizer of single bytes, where a leading space would be everyone's first token."""
CASES = [
    (replace(GOOD, corrupt="When Mary went"), "clean and corrupted lengths differ", "8 and 3"),
    (replace(GOOD, corrupt=GOOD.clean), "clean and corrupted prompts are the same", "When"),
    (replace(GOOD, corrupt=GOOD.corrupt.replace("Paul", "Zoe")), "unknown token", "Zoe"),
    (replace(GOOD, answers=(" Zoe",)), "answer merges with the end .* or is unknown", "Zoe"),
    (replace(GOOD, wrong_answers=(" Zoe",)), "wrong answer merges", "Zoe"),
    (replace(GOOD, answers=(" John",)), "answer equals wrong answer", "John"),
    (replace(GOOD, answers=()), "no answer", "names no right answer"),
    (replace(GOOD, clean="", corrupt=""), "empty prompt", "no tokens"),
]


@pytest.mark.parametrize(("pair", "reason", "detail"), CASES)
def test_unusable_pairs_are_dropped_with_their_reason(pair, reason, detail):
    done = tokenize([GOOD, pair], word_tokenizer(WORDS))
    assert done.kept == (0,)
    assert list(done.dropped["row"]) == [1]
    assert done.dropped["reason"].str.contains(reason).all()
    assert done.dropped["detail"].str.contains(detail).all()


def test_too_few_pairs_say_how_many_and_why():
    pairs = [GOOD, CASES[0][0], CASES[1][0], CASES[1][0]]
    with pytest.raises(
        ValueError,
        match=r"only 1 of 4 prompt pairs .* 2 are needed; dropped: 2 x clean and corrupted prompts "
        r"are the same; 1 x clean and corrupted lengths differ \(first: pair 1",
    ):
        tokenize(pairs, word_tokenizer(WORDS), minimum=2)
    with pytest.raises(ValueError, match="no prompt pairs to tokenize"):
        tokenize([], word_tokenizer(WORDS))


def test_context_counts_the_bos():
    tokenizer = word_tokenizer(WORDS)
    assert len(tokenize([GOOD], tokenizer, max_length=9).batch) == 1
    with pytest.raises(ValueError, match=r"longer than the context.*8 tokens, 7 allowed"):
        tokenize([GOOD], tokenizer, max_length=8)


def test_roles_land_on_their_words_and_end_is_the_read_out():
    tokenizer = word_tokenizer(WORDS)
    batch = tokenize([GOOD], tokenizer).batch
    found = {
        role: tokenizer.convert_ids_to_tokens(batch.clean[0][where[0]].tolist())
        for role, where in batch.roles.items()
    }
    assert found == {"IO": ["Mary"], "S1": ["John"], "S2": ["John"], "END": ["to"]}
    assert batch.clean[0, 0] == tokenizer.bos_token_id
    assert batch.templates == ("t1",)


def test_a_tokenizer_without_bos_gets_none_unless_it_is_required():
    tokenizer = word_tokenizer(WORDS, bos=False)
    done = tokenize([GOOD], tokenizer)
    assert done.bos is None
    assert done.batch.clean.shape == (1, 8)
    with pytest.raises(ValueError, match="has no BOS token"):
        tokenize([GOOD], tokenizer, prepend_bos=True)


def test_a_bos_written_in_the_prompt_is_not_doubled():
    tokenizer = byte_tokenizer([BYTES.clean], vocab_size=257)
    head = tokenizer.bos_token
    written = replace(BYTES, clean=head + BYTES.clean, corrupt=head + BYTES.corrupt, roles=())
    plain = tokenize([replace(BYTES, roles=())], tokenizer).batch
    torch.testing.assert_close(tokenize([written], tokenizer).batch.clean, plain.clean)


def test_bpe_answers_are_read_in_context_and_first_token_only():
    tokenizer = byte_tokenizer([BYTES.clean], vocab_size=257)
    done = tokenize([BYTES], tokenizer)
    row = done.batch
    joint = tokenizer(BYTES.clean + "Mary", add_special_tokens=False)["input_ids"]
    assert row.answers[0, 0] == joint[int(row.last[0])]
    assert done.first_token_only == 2
    assert done.notes == (
        "2 answers go on after the one token that is read, the first that tells right from wrong",
    )
    assert done.bos == "<|endoftext|>"


def test_an_answer_that_merges_with_the_prompt_is_not_used():
    tokenizer = byte_tokenizer(["the year 1733", "the tear 1733"] * 9, vocab_size=300)
    pair = PromptPair("the year 17", "the tear 17", ("33",), ("34",))
    joint = tokenizer("the year 1733", add_special_tokens=False)["input_ids"]
    alone = tokenizer("the year 17", add_special_tokens=False)["input_ids"]
    assert joint[: len(alone)] != alone, "the toy tokenizer must merge across the boundary"
    with pytest.raises(ValueError, match="answer merges with the end of the prompt"):
        tokenize([pair], tokenizer)


def test_candidates_that_are_both_right_and_wrong_leave_both_sets():
    pair = PromptPair("the year 17 32 17", "the year 17 01 17", ("33", "34"), ("34", "02"))
    done = tokenize([pair], word_tokenizer(WORDS))
    vocabulary = word_tokenizer(WORDS).get_vocab()
    assert done.batch.answers.tolist() == [[vocabulary["33"]]]
    assert done.batch.wrong_answers.tolist() == [[vocabulary["02"]]]
    assert done.removed_answers == 2


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_side_moves_tokens_and_nothing_else(side):
    short = PromptPair("Mary gave", "Paul gave", (" to",), (" the",), roles=(("IO", 0, 4),))
    batch = tokenize([GOOD, short], word_tokenizer(WORDS), padding_side=side).batch
    alone = tokenize([short], word_tokenizer(WORDS)).batch
    real = batch.mask[1]
    assert batch.clean[1][real].tolist() == alone.clean[0].tolist()
    assert batch.roles["IO"][1][real].tolist() == alone.roles["IO"][0].tolist()
    assert batch.mask.sum(dim=1).tolist() == [9, 3]
    assert batch.last.tolist() == ([8, 2] if side == "right" else [8, 8])
    assert batch.answers[1].tolist() == alone.answers[0].tolist()


def rows(n: int) -> list[TokenRow]:
    return [
        TokenRow(tuple(range(1, 3 + i % 3)), (0,) * (2 + i % 3), (7,), (8,), i, f"t{i % 2}")
        for i in range(n)
    ]


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 12), size=st.integers(1, 5))
def test_chunks_cover_a_batch_in_order(n, size):
    batch = pack(rows(n))
    parts = list(chunks(batch, size))
    assert all(len(part) <= size for part in parts)
    torch.testing.assert_close(torch.cat([part.clean for part in parts]), batch.clean)
    assert tuple(t for part in parts for t in part.templates) == batch.templates
    assert torch.cat([part.roles["END"] for part in parts]).equal(batch.roles["END"])


def test_take_accepts_positions_masks_and_slices():
    batch = pack(rows(5))
    by_position = take(batch, [3, 1])
    assert by_position.index.tolist() == [3, 1]
    assert by_position.templates == ("t1", "t1")
    assert take(batch, np.array([False, True, False, True, False])).index.tolist() == [1, 3]
    assert take(batch, slice(2, 4)).index.tolist() == [2, 3]
    assert take(batch, torch.tensor([4])).index.tolist() == [4]
    assert to_device(batch, "cpu").clean.device.type == "cpu"


def test_packing_errors_are_clear():
    with pytest.raises(ValueError, match="no examples to pack"):
        pack([])
    with pytest.raises(ValueError, match="example 4 has 2 clean and 1 corrupted tokens"):
        pack([TokenRow((1, 2), (1,), (1,), (2,), 4)])
    with pytest.raises(ValueError, match="padding_side must be 'right' or 'left', not 'up'"):
        pack(rows(1), padding_side="up")  # pyright: ignore
    with pytest.raises(ValueError, match="chunk size must be at least 1, not 0"):
        list(chunks(pack(rows(1)), 0))


def test_a_shared_start_of_the_answers_joins_the_prompt():
    pair = PromptPair("the year", "gave year", (" 17 33",), (" 17 34",), roles=(("Y", 4, 8),))
    tokenizer = word_tokenizer(WORDS)
    done = tokenize([pair], tokenizer)
    words = tokenizer.convert_ids_to_tokens(done.batch.clean[0].tolist())
    assert words == ["<bos>", "the", "year", "17"]
    assert tokenizer.convert_ids_to_tokens(done.batch.corrupt[0].tolist())[-1] == "17"
    assert tokenizer.convert_ids_to_tokens(done.batch.answers[0].tolist()) == ["33"]
    assert tokenizer.convert_ids_to_tokens(done.batch.wrong_answers[0].tolist()) == ["34"]
    assert done.extended_prompts == 1
    assert done.notes == (
        "the shared start of the answers was moved into the prompt in 1 of 1 pairs",
    )
    assert done.batch.roles["Y"].tolist() == [[False, False, True, False]]
    with pytest.raises(ValueError, match=r"longer than the context.*with the shared start"):
        tokenize([pair], tokenizer, max_length=3)


ANSWER_CASES = [
    ([[1, 2]], [[1, 3]], (2,), (3,), (), 0, 0),
    ([[1, 2, 9]], [[1, 3]], (2,), (3,), (), 1, 0),
    ([[1, 5, 2]], [[1, 5, 3]], (2,), (3,), (5,), 0, 0),
    ([[1, 2], [1, 3]], [[1, 3], [1, 4]], (2,), (4,), (), 0, 2),
    ([[1, 2], [7, 3]], [[1, 4]], (2,), (4,), (), 0, 1),
    ([[1, 2, 5], [1, 2, 6]], [[1, 4]], (2,), (4,), (), 2, 1),
    ([[1, 2]], [], (2,), (), (), 0, 0),
]


@pytest.mark.parametrize(("right", "wrong", *"abcde"), ANSWER_CASES)
def test_answer_tokens_by_hand(right, wrong, a, b, c, d, e):
    found = answer_tokens([1], right, wrong)
    assert (found.right, found.wrong, found.prefix, found.longer, found.removed) == (a, b, c, d, e)


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ([[1, 2]], [[1, 2]], "answer equals wrong answer"),
        ([[1, 2]], [[1, 2, 3]], "answer equals wrong answer"),
        ([[1, 2], [1, 3]], [[1, 2, 5], [1, 3, 5]], "answer equals wrong answer"),
        ([[7, 2]], [[1, 2]], "answer merges"),
        ([[1, 2]], [[1, 0]], "wrong answer merges .* or is unknown"),
    ],
)
def test_candidates_that_cannot_be_read(right, wrong, reason):
    with pytest.raises(Unusable, match=reason):
        answer_tokens([1], right, wrong, unknown=0)
