"""Tasks beyond the pocket models, tokenized by a byte-level BPE with GPT-2's conventions."""

from functools import cache

import numpy as np
import pytest

from circuitvar.tasks.catalog import TASKS, get_task
from circuitvar.tasks.own.readers import task_from_file
from circuitvar.tasks.tokens.sampling import Reader, sample_batch
from circuitvar.tasks.tokens.tokens import tokenize
from circuitvar.tasks.types import PromptPair
from tests.tasks.toy_tokenizers import byte_tokenizer, word_tokenizer

BEYOND = tuple(task for task in TASKS if not task.pocket)
RECIPES = [(task, corruption.key) for task in BEYOND for corruption in task.corruptions]


def draw(key: str, n: int = 60, seed: int = 0, **options) -> tuple[PromptPair, ...]:
    return get_task(key).sample(n, rng=np.random.default_rng(seed), **options)


@cache
def tokenizer():
    """Merges whole words of these tasks, as a real vocabulary merges common words."""
    texts = [
        text
        for task in BEYOND
        for pair in draw(task.key, 400)
        for text in (pair.clean, *(pair.clean + a for a in pair.answers + pair.wrong_answers))
    ]
    return byte_tokenizer(texts * 2, vocab_size=3000)


@pytest.mark.parametrize(("task", "corruption"), RECIPES, ids=lambda x: getattr(x, "key", x))
def test_most_pairs_survive_and_roles_are_found(task, corruption):
    pairs = draw(task.key, 100, seed=1, corruption=corruption)
    done = tokenize(pairs, tokenizer(), minimum=80)
    for name in {name for name, _, _ in pairs[0].roles}:
        assert done.batch.roles[name].any(dim=1).all(), name


@pytest.mark.parametrize("task", BEYOND, ids=lambda task: task.key)
def test_answers_differ_from_wrong_answers_and_corruption_changes_the_prompt(task):
    for corruption in task.corruptions:
        for pair in draw(task.key, 40, corruption=corruption.key):
            assert not set(pair.answers) & set(pair.wrong_answers)
            assert pair.clean != pair.corrupt
            assert "{" not in pair.clean + pair.corrupt


@pytest.mark.parametrize(("key", "sign"), [("addition", 1), ("subtraction", -1)])
@pytest.mark.parametrize("corruption", ["random-operands", "other-second"])
def test_arithmetic_is_right_and_results_have_two_digits(key, sign, corruption):
    for pool in ("a", "b"):
        for pair in draw(key, 200, corruption=corruption, pool=pool):
            value = {name: int(number) for name, number in pair.attributes}
            assert value["result"] == value["a"] + sign * value["b"]
            assert 10 <= value["result"] <= 99
            assert pair.answers == (f" {value['result']}",)
            assert pair.wrong_answers[0][1] != pair.answers[0][1]
            assert value["a"] % 2 == (pool == "b")


def test_docstring_asks_for_the_third_argument():
    for pair in draw("docstring", 60):
        role = {name: pair.clean[start:end] for name, start, end in pair.roles}
        assert pair.answers == (f" {role['C_DEF']}",)
        assert role["A_DOC"] == role["A_DEF"]
        assert role["B_DOC"] == role["B_DEF"]
        assert pair.clean.count(role["C_DEF"]) == 1
        assert role["C_DEF"] not in pair.corrupt


def test_coloured_objects_name_the_asked_colour():
    for pair in draw("coloured-objects", 100):
        role = {name: pair.clean[start:end] for name, start, end in pair.roles}
        assert role["OBJECT"] == role["QUERY"]
        assert pair.answers == (f" {role['COLOUR']}",)


def test_multiple_choice_letter_stands_before_the_colour():
    for pair in draw("multiple-choice", 100):
        value = dict(pair.attributes)
        line = next(line for line in pair.clean.split("\n")[1:] if value["colour"] in line)
        assert pair.answers == (f" {line[0]}",)
        assert len(pair.wrong_answers) == 2


def test_a_file_gives_each_row_once_however_often_it_is_drawn(tmp_path):
    rows = ["clean,corrupt,answer,wrong_answer"]
    rows += [f"the w{'x' * i} cat,the wy{'x' * i} cat, sat, ran" for i in range(9)]
    rows += ["the a cat,the bb cc cat, sat, ran"]  # never usable: other length
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(rows))
    task = task_from_file(path)
    words = word_tokenizer(
        "the cat sat ran a bb cc " + " ".join(w for r in rows for w in r.split())
    )
    done, pairs = sample_batch(task, 9, Reader(words), rng=np.random.default_rng(0))
    assert len(done.batch) == 9
    assert len({pair.clean for pair in pairs}) == 9
    with pytest.raises(ValueError, match=r"only 9 of 10 prompt pairs are usable.*lengths differ"):
        sample_batch(task, 10, Reader(words), rng=np.random.default_rng(0))


def test_sample_batch_makes_up_for_dropped_pairs():
    done, pairs = sample_batch(
        get_task("docstring"), 30, Reader(tokenizer()), rng=np.random.default_rng(5)
    )
    assert len(done.batch) == len(pairs) == 30
    assert done.batch.templates == tuple(pair.template for pair in pairs)
    with pytest.raises(ValueError, match=r"only 0 of 80 prompt pairs are usable.*longer than"):
        sample_batch(
            get_task("docstring"), 4, Reader(tokenizer(), context=5), rng=np.random.default_rng(5)
        )
