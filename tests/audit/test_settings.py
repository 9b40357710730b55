"""Settings, streams and data sets of an audit."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from circuitvar.audit.runs.prompts import (
    data_hash,
    fresh_batch,
    heldout_batch,
    spread_over_templates,
)
from circuitvar.audit.settings import QUICK, Settings
from circuitvar.audit.streams import stream
from circuitvar.tasks.tokens.pretokenized import pair_of_ids
from circuitvar.tasks.types import Task


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n": 3}, "n = 3 is too small; use 8 or more"),
        ({"exact": 1}, "exact = 1 has no spread; use 0 to skip it"),
        ({"confidence": 95}, "confidence = 95 is not a confidence level"),
        ({"confidence": 0.05}, r"0.05 is an error rate: give 0.95"),
        ({"ablation": "noise"}, "unknown ablation 'noise'; choose one of patching"),
    ],
)
def test_impossible_settings_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        Settings(**options)


def test_quick_settings_are_valid_and_smaller():
    assert QUICK.n < Settings().n


def test_streams_depend_on_their_name_and_seed_only():
    first = stream(1, "a").integers(1 << 30, size=4)
    np.testing.assert_array_equal(stream(1, "a").integers(1 << 30, size=4), first)
    assert not np.array_equal(stream(1, "b").integers(1 << 30, size=4), first)
    assert not np.array_equal(stream(2, "a").integers(1 << 30, size=4), first)


def test_round_robin_takes_every_template_before_any_twice():
    templates = ("x", "x", "x", "y", "z", "z")
    assert spread_over_templates(templates, 3).tolist() == [0, 3, 4]
    assert spread_over_templates(templates, 5).tolist() == [0, 1, 3, 4, 5]


MODEL: Any = SimpleNamespace(tokenizer=None, context=None, vocab_size=500)


def _toy_task(words: int) -> Task:
    def sample(n, *, rng, templates=None, corruption=None, pool="all"):
        start = {"all": 0, "a": 0, "b": words // 2}[pool]
        stop = words // 2 if pool == "a" else words
        picks = rng.integers(start, stop, size=n)
        # Word 7 cannot be used: its id is beyond the vocabulary.
        return tuple(pair_of_ids((900 if i == 7 else i, 1), (i, 2), (5,), (6,)) for i in picks)

    return Task("toy", "Toy", sample, ("t",), ())


def test_heldout_prompts_were_never_seen():
    settings = Settings(n=50, heldout=20)
    seen = _toy_task(100).sample(50, rng=np.random.default_rng(0))
    drawn, heldout = heldout_batch(_toy_task(100), settings, MODEL, seen)
    assert len(heldout) == len(drawn.batch) == len({p.clean for p in heldout}) == 20
    assert not {p.clean for p in heldout} & {p.clean for p in seen}
    assert not any(p.clean.startswith("900") for p in heldout)
    assert drawn.batch.clean[:, 0].tolist() == [int(p.clean.split()[0]) for p in heldout]


def test_too_small_a_task_says_how_many_it_gave():
    settings = Settings(n=50, heldout=20)
    seen = _toy_task(10).sample(50, rng=np.random.default_rng(0))
    with pytest.raises(
        ValueError,
        match=r"held-out prompts: task 'toy'.*differ from the 10 already.*none is left.*lower n or",
    ):
        heldout_batch(_toy_task(10), settings, MODEL, seen)


def test_fresh_data_alternates_between_disjoint_pools():
    settings = Settings(n=30)
    task = _toy_task(100)
    a, b = (fresh_batch(task, settings, MODEL, draw)[1] for draw in (0, 1))
    assert len(a) == len(b) == 30
    assert not {p.clean for p in a} & {p.clean for p in b}


def test_data_hash_sees_order_and_content():
    pairs = _toy_task(100).sample(5, rng=np.random.default_rng(0))
    assert data_hash(pairs) == data_hash(tuple(pairs))
    assert data_hash(pairs) != data_hash(pairs[::-1])
