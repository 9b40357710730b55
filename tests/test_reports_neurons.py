"""Figures of a neuron audit and the report folder, on a tiny random model."""

import json

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.neurons.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.concept_options import ConceptOptions
from circuitvar.audit.neurons.error_curve import error_curve
from circuitvar.reports import neuron_figures
from circuitvar.reports.neurons_command import best_units, run_neurons
from circuitvar.tasks.pocket.tokenizer import build_tokenizer
from tests.toy_neurons import planted_units
from tests.toy_scoring import build

LEAN = ConceptOptions(
    replicates=60, set_replicates=60, new_replicates=30, held_replicates=30, null_draws=5
)


@pytest.fixture(scope="module")
def audit():
    data, truth = planted_units(100, 5, 6, 5, beta=1.5, seed=0)
    options = NeuronOptions(concepts=LEAN, perturbations=None, inclusion_replicates=4)
    return data, truth, audit_neurons(data, options)


def test_error_curve_shrinks_and_stays_under_the_bounds(audit):
    data, truth, _ = audit
    curve = error_curve(data, 0, int(truth[0]), rng=np.random.default_rng(0), concepts=10)
    for _, part in curve.groupby("metric"):
        assert (np.diff(part.distribution_free) < 0).all()
        # 1 / sqrt(n), up to counts that vary between draws.
        ratio = part.distribution_free * np.sqrt(part.prompts)
        assert ratio.max() / ratio.min() < 1.2
        assert (part.error <= part.distribution_free).all()
        assert (part.clustered >= part.distribution_free).all()
    with pytest.raises(ValueError, match="no share-type bound for pearson"):
        error_curve(data, 0, 0, rng=np.random.default_rng(0), metrics=["pearson"])


def test_figures_show_what_the_frames_hold(audit):
    data, truth, found = audit
    bars = neuron_figures.vote_bars(found.votes, ["unit0", "unit1"])
    titles = [axes.get_title(loc="left") for axes in bars.axes]
    assert titles[:2] == ["unit0", "unit1"]
    assert found.units.label[0] in [t.get_text() for t in bars.axes[0].get_yticklabels()]
    curve = error_curve(data, 0, int(truth[0]), rng=np.random.default_rng(0))
    assert len(neuron_figures.bound_curves(curve).axes) == 3
    ranges = found.tables["ranges"]
    unit = ranges.unit.iloc[0]
    figure = neuron_figures.range_map_figure(ranges[ranges.unit == unit], title=unit)
    assert len(figure.axes[0].patches) == (ranges.unit == unit).sum()
    assert neuron_figures.verdict_bars(found.units).axes[0].get_xlabel() == "units"
    row = best_units(found, 1).iloc[0]
    card = neuron_figures.explanation_card(row, found.votes, ranges)
    assert any(row["label"] in text.get_text() for text in card.axes[0].texts)
    with pytest.raises(ValueError, match="no units to draw"):
        neuron_figures.vote_bars(found.votes, [])


def test_run_writes_a_folder_that_can_be_read_back(tmp_path):
    tokenizer = build_tokenizer()
    model = build("gpt2", vocab_size=len(tokenizer), bos_token_id=tokenizer.bos_token_id)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    out = tmp_path / "out"
    options = NeuronOptions(
        concepts=LEAN, inclusion_replicates=3, inclusion_units=4, range_units=2,
        perturbations=None, self_check=False,
    )  # fmt: skip
    run = run_neurons(
        "ioi", str(tmp_path / "model"), out, prompts=60, held_out=20, substituted=2, options=options
    )
    summary = json.loads((out / "neurons.json").read_text())
    assert summary["neurons"]["units"] == len(run.neurons.units)
    assert summary["heads"]["units"] == 12
    assert sum(summary["neurons"]["verdicts"].values()) == summary["neurons"]["units"]
    back = pd.read_csv(out / "neurons" / "units.csv")
    assert back.unit.tolist() == run.neurons.units.unit.tolist()
    assert run.substitution.unit.iloc[-1] == "all 2 together"
    assert np.isfinite(run.substitution.substitution).all()
    assert {"bounds.png", "neurons-votes.pdf"} <= {p.name for p in (out / "figures").iterdir()}
    assert "Explanation cards" in (out / "cards.md").read_text()
    with pytest.raises(ValueError, match="unknown task"):
        run_neurons("none", str(tmp_path / "model"))
