from dataclasses import replace
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


def test_the_samples_of_a_pair_share_no_row_of_a_file(monkeypatch):
    """40 rows hold two samples of 20; two random ones would share about 10."""
    planted, model = get_task("planted-two-route"), load_model("planted:two-route")
    drawn = planted.sample(400, rng=np.random.default_rng(0))
    rows = list({pair.clean: pair for pair in drawn}.values())[:40]

    def sample(n, *, rng, **_):
        return tuple(rows[i] for i in rng.permutation(len(rows))[:n])

    file, seen = replace(planted, sample=sample, distinct=True, key="rows"), []
    draw = ud.fresh_batch

    def watched(*args, **options):
        found = draw(*args, **options)
        seen.append({pair.clean for pair in found[1]})
        return found

    monkeypatch.setattr(ud, "fresh_batch", watched)
    next(ud.fresh_pairs(file, model, Settings(n=20, size=4, method="exact")))
    assert [len(prompts) for prompts in seen] == [20, 20]
    assert not seen[0] & seen[1]
    assert ud.sampled_prompts(file, 20) == "disjoint samples of 20 rows of rows"
    with pytest.raises(ValueError, match="differ from the 30 already used"):
        next(ud.fresh_pairs(file, model, Settings(n=30, size=4, method="exact")))


def test_it_is_a_command():
    options = "--model planted:gated --method eap --n 8 --size 4 --budget 480 --bar 0.5 -q"
    result = CliRunner().invoke(app, ["decide", "planted-gated", *options.split()])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("pass after 128 prompts: phi = 1.000")
