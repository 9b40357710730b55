"""The shipped pocket models: loadable offline, small, and good on combinations never trained on."""

import json

import numpy as np
import pytest
import torch

from circuitvar.tasks.catalog import TASKS
from circuitvar.tasks.language.words import NOUNS
from circuitvar.tasks.pocket.check import held_out_scores
from circuitvar.tasks.pocket.held_out import draw_split, is_held_out, may_follow, shows_held_out
from circuitvar.tasks.pocket.losses import repeated_lists
from circuitvar.tasks.pocket.paths import SEEDS, pocket_path
from circuitvar.tasks.pocket.tokenizer import CONTEXT, build_tokenizer, vocabulary
from circuitvar.tasks.pocket.train import Recipe, main, train

POCKET = tuple(task for task in TASKS if task.pocket)
BAR = 0.97


def load(seed: int):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = pocket_path(seed)
    return AutoModelForCausalLM.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)


@pytest.fixture(scope="module")
def measured():
    """Held-out scores by seed, measured once per seed."""
    found: dict[int, dict] = {}

    def scores(seed: int) -> dict:
        if seed not in found:
            found[seed] = held_out_scores(*load(seed), POCKET, n=300, seed=1)
        return found[seed]

    return scores


@pytest.mark.parametrize("key", [task.key for task in POCKET])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed_does_every_task_on_held_out_combinations(measured, seed, key):
    score = measured(seed)[key]
    assert score["accuracy"] >= BAR
    if key == "greater-than":
        # Always answering 99 would count as accurate, so the years are judged by probability.
        assert score["probability"] >= BAR


@pytest.mark.parametrize("seed", SEEDS)
def test_shipped_folders_are_complete_and_small(seed):
    path = pocket_path(seed)
    names = {file.name for file in path.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert sum(file.stat().st_size for file in path.iterdir()) <= 2.4e6
    log = json.loads((path / "training_log.json").read_text(encoding="utf-8"))
    assert log["recipe"]["seed"] == seed
    assert set(log["held_out"]) == {task.key for task in POCKET}


def test_the_shipped_tokenizer_is_the_one_the_task_files_define():
    shipped = load(0)[1]
    assert shipped.get_vocab() == {word: i for i, word in enumerate(vocabulary())}
    assert shipped.bos_token == "<bos>"
    assert shipped.model_max_length == CONTEXT
    text = "When Mary isn't at the war of 1732, he"
    assert shipped.tokenize(text) == build_tokenizer().tokenize(text)


def test_seeds_are_different_models():
    first, second = (load(seed)[0].lm_head.weight for seed in SEEDS[:2])
    assert not torch.allclose(first, second, atol=1e-2)


@pytest.mark.parametrize("task", POCKET, ids=lambda task: task.key)
def test_the_split_shares_no_combination(task):
    rng = np.random.default_rng(0)
    train_pairs = draw_split(task, 300, rng=rng, held_out=False)
    test_pairs = draw_split(task, 50, rng=rng, held_out=True)
    assert not any(is_held_out(task.key, pair) for pair in train_pairs)
    assert not any(shows_held_out(task.key, pair) for pair in train_pairs)
    assert all(is_held_out(task.key, pair) for pair in test_pairs)


def test_held_out_name_pairs_ignore_order():
    (task,) = (task for task in POCKET if task.key == "ioi")
    pairs = draw_split(task, 400, rng=np.random.default_rng(0), held_out=True)
    held = {frozenset(dict(p.attributes)[name] for name in ("io", "s")) for p in pairs}
    seen = draw_split(task, 2000, rng=np.random.default_rng(1), held_out=False)
    assert not held & {frozenset(dict(p.attributes)[name] for name in ("io", "s")) for p in seen}


def test_repeated_lists_repeat_and_never_show_a_held_out_neighbour():
    words = {word: i for i, word in enumerate(vocabulary())}
    ids, second = repeated_lists(20, words, length=31, rng=np.random.default_rng(0))
    name = {i: word for word, i in words.items()}
    for row, where in zip(ids, second, strict=True):
        for at in np.flatnonzero(where):
            before, word = row[at - 1], row[at]
            first = list(row[: at - 1]).index(before)
            assert row[first + 1] == word
            assert may_follow(name[before], name[word])
    share = np.mean([not may_follow(one, two) for one in NOUNS for two in NOUNS])
    assert 0.07 < share < 0.13


SMALL = Recipe(seed=3, list_steps=2, steps=3, batch=24, lists=8, width=16)


def test_training_is_deterministic_and_seeds_matter():
    state = torch.random.get_rng_state()
    one, two = (train(SMALL)[0].state_dict() for _ in range(2))
    assert torch.random.get_rng_state().equal(state)
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=0)
    other = train(Recipe(seed=4, list_steps=2, steps=3, batch=24, lists=8, width=16))[0]
    assert not torch.equal(other.state_dict()["lm_head.weight"], one["lm_head.weight"])


def test_the_command_writes_a_loadable_folder(tmp_path, capsys):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    steps = ["--steps", "1", "--list-steps", "1", "--polish-steps", "1"]
    main(["--seed", "1", *steps, "--out", str(tmp_path / "m")])
    assert set(json.loads(capsys.readouterr().out)) == {task.key for task in POCKET}
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path / "m"))


def test_unknown_seed():
    with pytest.raises(
        ValueError, match="no pocket model with training seed 9: choose one of 0, 1"
    ):
        pocket_path(9)
