"""The language tasks: determinism, pools, templates, roles, and what each corruption changes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.tasks.catalog import TASKS, get_task
from circuitvar.tasks.language.capital import CAPITALS
from circuitvar.tasks.language.templates import next_word, render
from circuitvar.tasks.language.words import FEMALE_NAMES, MALE_NAMES, NAMES
from circuitvar.tasks.pocket.tokenizer import CONTEXT, build_tokenizer
from circuitvar.tasks.tokens.tokens import tokenize
from circuitvar.tasks.types import PromptPair, Task

POCKET = tuple(task for task in TASKS if task.pocket)
RECIPES = [(task, corruption.key) for task in POCKET for corruption in task.corruptions]
SLOTS = {
    "ioi": ("io", "s", "place", "object"),
    "greater-than": ("century", "event"),
    "agreement": ("subject", "attractor"),
    "pronoun": ("name", "place"),
    "induction": ("a", "b"),
    "capital": ("country", "other"),
}


def draw(task: Task, n: int = 60, seed: int = 0, **options) -> tuple[PromptPair, ...]:
    return task.sample(n, rng=np.random.default_rng(seed), **options)


def role(pair: PromptPair, name: str) -> str:
    return next(pair.clean[start:end] for key, start, end in pair.roles if key == name)


def test_the_catalogue_covers_what_the_suite_promises():
    assert {task.key for task in POCKET} == set(SLOTS)
    assert len(set(NAMES)) == 64
    assert set(NAMES) == {*MALE_NAMES, *FEMALE_NAMES}
    assert len({task.key for task in TASKS}) == len(TASKS)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.key)
def test_ten_families_two_corruptions_and_a_source(task):
    assert len(set(task.templates)) >= 10
    assert len({c.key for c in task.corruptions}) >= 2
    assert all(c.rationale.endswith(".") for c in task.corruptions)
    assert task.source
    assert task.licence


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.key)
def test_same_stream_same_pairs(task):
    assert draw(task) == draw(task)
    assert draw(task) != draw(task, seed=1)
    assert draw(task, 0) == ()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.key)
def test_templates_are_balanced_and_can_be_chosen(task):
    counts = Counter(pair.template for pair in draw(task, 67))
    assert set(counts) == set(task.templates)
    assert max(counts.values()) - min(counts.values()) <= 1
    two = task.templates[3:5]
    assert {pair.template for pair in draw(task, 9, templates=two)} == set(two)


@pytest.mark.parametrize("task", POCKET, ids=lambda task: task.key)
def test_pools_share_no_slot_value(task):
    values = {
        pool: {
            (slot, value)
            for pair in draw(task, 300, pool=pool)
            for slot, value in pair.attributes
            if slot in SLOTS[task.key]
        }
        for pool in ("a", "b")
    }
    assert not values["a"] & values["b"]
    assert min(len(v) for v in values.values()) > 10


@pytest.mark.parametrize(("task", "corruption"), RECIPES, ids=lambda x: getattr(x, "key", x))
def test_every_pair_survives_the_pocket_tokenizer(task, corruption):
    pairs = draw(task, 120, corruption=corruption)
    done = tokenize(pairs, build_tokenizer(), max_length=CONTEXT, minimum=len(pairs))
    assert done.dropped.empty
    assert done.removed_answers == 0
    assert done.first_token_only == 0
    marked = {name for name, where in done.batch.roles.items() if where.any(dim=1).all()}
    assert {"END", *(name for name, _, _ in pairs[0].roles)} == marked


@pytest.mark.parametrize(("task", "corruption"), RECIPES, ids=lambda x: getattr(x, "key", x))
def test_corruption_does_not_change_what_is_asked(task, corruption):
    for plain, other in zip(draw(task, 1), draw(task, 1, corruption=corruption), strict=True):
        assert plain.clean == other.clean
        assert plain.answers == other.answers


def test_ioi_names_roles_and_orders():
    pairs = draw(get_task("ioi"), 200)
    for pair in pairs:
        io, s = role(pair, "IO"), role(pair, "S1")
        assert pair.answers == (f" {io}",)
        assert pair.wrong_answers == (f" {s}",)
        assert role(pair, "S2") == s != io
        assert pair.clean.count(s) == 2
        assert pair.clean.count(io) == 1
        first = "ABBA" if pair.clean.index(io) < pair.clean.index(s) else "BABA"
        assert dict(pair.attributes)["order"] == first
    assert {dict(pair.attributes)["order"] for pair in pairs} == {"ABBA", "BABA"}


def names_of(text: str) -> list[str]:
    words = text.replace(",", " ").replace(".", " ").split()
    return [word for word in words if word in NAMES]


@pytest.mark.parametrize("seed", range(5))
def test_ioi_corruptions_do_what_they_say(seed):
    task = get_task("ioi")

    def corrupted(key: str) -> tuple[list[str], list[str]]:
        pair = draw(task, 1, seed, corruption=key)[0]
        return names_of(pair.clean), names_of(pair.corrupt)

    clean, abc = corrupted("abc")
    assert len({*clean, *abc}) == 5
    clean, swap = corrupted("s2-io-swap")
    assert swap[:2] == clean[:2]
    assert {swap[2], clean[2]} == set(clean)
    clean, flip = corrupted("random-name-flip")
    assert not set(clean) & set(flip)
    assert [clean.index(name) for name in clean] == [flip.index(name) for name in flip]
    clean, third = corrupted("random-s2")
    assert third[:2] == clean[:2]
    assert third[2] not in clean
    assert names_of(draw(task, 1, seed, corruption="random-token")[0].corrupt) == []


def test_greater_than_answers_split_all_suffixes_at_the_start_year():
    for pair in draw(get_task("greater-than"), 200):
        year = int(role(pair, "YY"))
        assert pair.clean.endswith(role(pair, "XX1"))
        assert [int(a) for a in pair.answers] == list(range(year + 1, 100))
        assert [int(w) for w in pair.wrong_answers] == list(range(year + 1))
        century = role(pair, "XX1")
        assert pair.corrupt == pair.clean.replace(f"{century}{year:02d}", f"{century}01", 1)


def test_agreement_attractor_says_nothing_about_the_answer():
    pairs = draw(get_task("agreement"), 400)
    for pair in pairs:
        plural = role(pair, "SUBJECT").endswith("s")
        assert (" are" in pair.answers) == plural
        assert (" is" in pair.wrong_answers) == plural
    same = sum(dict(pair.attributes)["match"] == "same" for pair in pairs)
    assert 150 < same < 250


def test_agreement_both_swap_keeps_the_match():
    for pair in draw(get_task("agreement"), 40, corruption="both-swap"):
        value = dict(pair.attributes)
        attractor_plural = (value["number"] == "plural") == (value["match"] == "same")
        assert pair.corrupt != pair.clean
        swapped = value["attractor"] + "s" * (not attractor_plural)
        assert swapped in pair.corrupt.split()


def test_pronoun_and_capital_answers_are_the_facts():
    for pair in draw(get_task("pronoun"), 100):
        assert pair.answers == ((" he",) if role(pair, "NAME") in MALE_NAMES else (" she",))
        assert pair.wrong_answers != pair.answers
    for pair in draw(get_task("capital"), 100):
        assert pair.answers == (f" {CAPITALS[role(pair, 'COUNTRY')]}",)
        other = dict(pair.attributes)["other"]
        assert pair.wrong_answers == (f" {CAPITALS[other]}",)
        assert other in pair.corrupt


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_induction_answer_follows_the_first_copy(seed):
    pair = draw(get_task("induction"), 1, seed)[0]
    a, b, d = (role(pair, name) for name in ("A1", "B1", "D1"))
    assert role(pair, "A2") == a
    assert f"{a} {b}" in pair.clean
    assert pair.clean.endswith(f" {a}")
    assert pair.answers == (f" {b}",)
    assert pair.wrong_answers == (f" {d}",)
    assert f"{a} {d}" in pair.corrupt
    assert f"{a} {b}" not in pair.corrupt
    unmatched = draw(get_task("induction"), 1, seed, corruption="no-match")[0]
    assert unmatched.corrupt.split().count(a) == 1
    assert b in unmatched.corrupt


def test_rendering_gives_exact_spans():
    text, spans = render("{A} of {b} and {A}", {"A": "xy", "b": "z"})
    assert text == "xy of z and xy"
    assert spans == (("A", 0, 2), ("A", 12, 14))
    assert next_word("John, who", 4) == (4, 5)
    assert next_word("John went", 4) == (5, 9)
    assert next_word("John", 4) == (4, 4)


BAD = [
    ({"templates": ("ioi-99",)}, "task 'ioi' has no template 'ioi-99': choose from ioi-01"),
    ({"templates": ()}, "no template of task 'ioi' is selected"),
    ({"corruption": "abd"}, r"has no corruption 'abd'.*did you mean 'abc'\?"),
    ({"pool": "c"}, "has no pool 'c': choose from all, a, b"),
    ({"n": -1}, "cannot draw -1 examples"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_unknown_choices_name_the_allowed_ones(options, message):
    with pytest.raises(ValueError, match=message):
        draw(get_task("ioi"), **options)


def test_unknown_task_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"unknown task 'oi'.*did you mean 'ioi'"):
        get_task("oi")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.key)
def test_another_corruption_leaves_the_clean_prompts_as_they_are(task):
    clean = {
        c.key: [pair.clean for pair in draw(task, 50, corruption=c.key)] for c in task.corruptions
    }
    assert all(prompts == clean[task.corruptions[0].key] for prompts in clean.values())
