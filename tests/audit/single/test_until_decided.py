import json
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from circuitvar.audit.settings import Settings
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.loading.load import load_model
from circuitvar.reports.commands.cli import app
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.own import task_from_file

ud = import_module("circuitvar.audit.single.until_decided")

SETTINGS = Settings(n=8, size=4, method="eap", steps=1)
NO_MODEL = SimpleNamespace(graph=SimpleNamespace(n_edges=40))
"""A graph that cannot be scored."""
IOI = get_task("ioi")


@pytest.mark.parametrize(("key", "outcome"), [("gated", "pass"), ("two-route", "fail")])
def test_planted_models_are_decided(key, outcome):
    """All pairs of the gated model agree; the routes of the other win half of the time."""
    task, model = get_task(f"planted-{key}"), load_model(f"planted:{key}")
    found, verdict = ud.until_decided(
        task, model, Settings(n=8, size=4, method="exact"), budget=16 * 300, bars=Bars(phi=0.8)
    )
    assert verdict.outcome == outcome
    assert found.n < 300, "it stops as soon as it is decided"


def test_a_spent_budget_is_undecided(monkeypatch):
    values = map(ud.FreshPair, np.resize([0.5, 1.0], 100))
    monkeypatch.setattr(ud, "fresh_pairs", lambda *_: values)
    monkeypatch.setattr(ud, "lowest_phi", lambda *_: -0.2)
    seen = []
    found, verdict = ud.until_decided(
        IOI, NO_MODEL, SETTINGS, budget=16 * 40, progress=lambda done, total: seen.append(total)
    )
    assert (verdict.outcome, found.n, set(seen)) == ("undecided", 40, {40})
    assert "pairs" in verdict.needed or "out of reach" in verdict.needed


def test_too_small_a_budget_says_what_it_takes():
    with pytest.raises(ValueError, match="holds 6 pairs of 8; at least 30"):
        ud.until_decided(IOI, NO_MODEL, SETTINGS, budget=100)


@pytest.mark.parametrize(
    ("size", "bars", "outcome"),
    [
        (40, Bars(), True),
        (20, Bars(), True),
        (19, Bars(), False),
        (19, Bars(compression=0.4), True),
    ],
)
def test_nearly_the_whole_graph_is_no_compression(monkeypatch, size, bars, outcome):
    """The rule of an audit, before anything is scored."""
    monkeypatch.setattr(ud, "fresh_pairs", lambda *_: map(ud.FreshPair, np.resize([0.9, 1.0], 100)))
    settings = Settings(n=8, size=size)
    found, verdict = ud.until_decided(IOI, NO_MODEL, settings, budget=16 * 40, bars=bars)
    assert (verdict.outcome == "no compression") == outcome == (found.n == 0)
    if outcome:
        assert verdict.reason == f"Circuits of {size} of 40 edges keep {size / 40:.0%} of them."


def test_pairs_that_ties_decide_are_undecided(monkeypatch):
    monkeypatch.setattr(ud, "fresh_pairs", lambda *_: iter([ud.FreshPair(1.0, 39)] * 100))
    found, verdict = ud.until_decided(IOI, NO_MODEL, SETTINGS, budget=16 * 40)
    assert (found.value, verdict.outcome) == (1.0, "undecided")
    assert verdict.reason == "39 edges tie at the cut; their order in the graph decides."


def test_the_full_model_does_not_pass(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("nothing is to be scored")

    monkeypatch.setattr(ud, "score_prompts", refuse)
    options = ["ioi", "--n", "8", "--budget", "2400", "--size", "479", "-q"]
    result = CliRunner().invoke(app, ["decide", *options])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(
        "no compression after 0 prompts: Circuits of 479 of 479 edges keep 100% of them."
    )


def test_it_is_a_command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    options = "--model planted:gated --method eap --n 8 --size 4 --budget 480 --bar 0.5 -q"
    result = CliRunner().invoke(app, ["decide", "planted-gated", *options.split()])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("pass after 128 prompts: phi = 1.000")


def _file(folder, rows):
    """A file of so many rows of the planted task."""
    drawn = get_task("planted-gated").sample(8 * rows, rng=np.random.default_rng(0))
    pairs = list({pair.clean: pair for pair in drawn}.values())[:rows]
    assert len(pairs) == rows
    names = ("clean", "corrupt", "answer", "wrong_answer")
    cells = [(p.clean, p.corrupt, p.answers[0], p.wrong_answers[0]) for p in pairs]
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_rows_of_a_file_are_fresh_once(tmp_path):
    model, settings = load_model("planted:gated"), Settings(n=8, size=4, method="exact")
    task = task_from_file(_file(tmp_path, 500))
    sets = list(ud.data_sets(task, model, settings))
    rows = np.concatenate([batch.clean.numpy() for batch in sets])
    assert len(sets) == 62 and len(np.unique(rows, axis=0)) == 496
    found, _ = ud.until_decided(task, model, settings, budget=100_000, bars=Bars(phi=0.8))
    assert 0 < found.n <= 31, "pairs that share no row"
    assert ud.sampled_prompts(task, 8) == "disjoint samples of 8 rows of rows"


@pytest.mark.parametrize(
    ("rows", "n", "message"),
    [
        (124, 20, "has 124 usable rows, which are 3 disjoint pairs of 20; at least 30 pairs are "
         "needed: add rows up to 1200, or let `audit` compare halves of the rows"),
        (500, 9, "27 disjoint pairs of 9; at least 30 pairs are needed: use n = 8 or less, add"),
    ],
)  # fmt: skip
def test_a_file_with_too_few_rows_is_refused(tmp_path, rows, n, message):
    task, model = task_from_file(_file(tmp_path, rows)), load_model("planted:gated")
    with pytest.raises(ValueError, match=message):
        ud.until_decided(task, model, Settings(n=n, size=4, method="exact"), budget=100_000)
