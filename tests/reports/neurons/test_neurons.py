"""Figures of a neuron audit and the report folder, on a tiny random model."""

import json

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.similarity.cluster_resampling import ConceptOptions
from circuitvar.audit.neurons.views.error_curve import error_curve
from circuitvar.audit.neurons.views.perturbation_tables import SEED_AXIS
from circuitvar.audit.neurons.views.perturbations import PerturbationOptions
from circuitvar.reports.neurons import figures
from circuitvar.reports.neurons.command import run_neurons
from circuitvar.reports.neurons.section import card_name, neuron_sentences
from circuitvar.reports.neurons.units import UNITS, sibling_models, unit_kinds
from circuitvar.reports.neurons.write import best_units, vote_units
from circuitvar.reports.options import NeuronChoice
from circuitvar.tasks.pocket.tokenizer import build_tokenizer
from tests.audit.neurons.toy_neurons import planted_units
from tests.circuits.toy_scoring import build

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
    with pytest.raises(ValueError, match="pearson is not a single share"):
        error_curve(data, 0, 0, rng=np.random.default_rng(0), metrics=["pearson"])


def test_figures_show_what_the_frames_hold(audit):
    data, truth, found = audit
    bars = figures.vote_bars(found.votes, ["unit0", "unit1"])
    titles = [axes.get_title(loc="left") for axes in bars.axes]
    assert titles[:2] == ["unit0", "unit1"]
    assert found.units.label[0] in [t.get_text() for t in bars.axes[0].get_yticklabels()]
    curve = error_curve(data, 0, int(truth[0]), rng=np.random.default_rng(0))
    assert len(figures.bound_curves(curve).axes) == 3
    ranges = found.tables["ranges"]
    unit = ranges.unit.iloc[0]
    figure = figures.range_map_figure(ranges[ranges.unit == unit], title=unit)
    assert len(figure.axes[0].patches) == (ranges.unit == unit).sum()
    assert figures.verdict_bars(found.units).axes[0].get_xlabel() == "units"
    titled = figures.vote_bars(found.votes, ["unit2"], verdicts=["stable"])
    assert titled.axes[0].get_title(loc="left") == "unit2 (stable)"
    assert set(vote_units(found).unit) == set(found.units.unit)
    flips = pd.DataFrame({"axis": ["a", "a", "b"], "level": list("xyz"), "flip_rate": [0, 1, 0.5]})
    drawn = figures.flip_rates(flips).axes[0]
    assert [t.get_text() for t in drawn.get_yticklabels()] == ["a", "b"]
    np.testing.assert_allclose([line.get_xdata()[0] for line in drawn.lines[1::2]], [0.5, 0.5])
    row = best_units(found, 1).iloc[0]
    card = figures.explanation_card(row, found.votes, ranges)
    assert any(row["label"] in text.get_text() for text in card.axes[0].texts)
    with pytest.raises(ValueError, match="no units to draw"):
        figures.vote_bars(found.votes, [])


def test_run_writes_a_folder_that_can_be_read_back(tmp_path):
    saved_model(tmp_path / "model")
    out = tmp_path / "out"
    options = NeuronOptions(
        concepts=LEAN, inclusion_replicates=3, inclusion_units=4, range_units=2,
        perturbations=None, self_check=False,
    )  # fmt: skip
    choice = NeuronChoice(prompts=60, heldout=20)
    run = run_neurons("ioi", str(tmp_path / "model"), out, choice, substituted=2, options=options)
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


def saved_model(folder, *, seed=0):
    """A random model that reads the pocket vocabulary, as a checkpoint folder."""
    tokenizer = build_tokenizer()
    shape = {"vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id}
    build("gpt2", seed=seed, **shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


BRIEF = PerturbationOptions(
    resamples=2, sizes=(0.5,), label_noise=(0.1,), activation_noise=(0.1,), metrics=("iou",)
)


def test_every_kind_of_unit_is_labelled_perturbed_and_put_on_the_page(tmp_path):
    model = saved_model(tmp_path / "model")
    twin = saved_model(tmp_path / "twin")
    other = saved_model(tmp_path / "other", seed=1)
    names = ("input->m0", "m0->a1.h2<q>", "a2.h0->logits")
    edges = tmp_path / "edges.csv"
    edges.write_text("edge,in_circuit\n" + "".join(f"{name},1\n" for name in names))
    kinds = ("pre", "edges")
    options = NeuronOptions(
        concepts=LEAN, linear=None, perturbations=BRIEF, self_check=False, range_units=1,
        compositions=2, composition_units=2,
    )  # fmt: skip
    out = tmp_path / "out"
    choice = NeuronChoice(
        prompts=48, heldout=12, units=",".join(kinds), circuit=str(edges),
        other_models=(twin, other),
    )  # fmt: skip
    run = run_neurons("ioi", model, out, choice, options=options)
    assert tuple(run.parts) == kinds and not len(run.substitution)
    assert run.parts["edges"].units.unit.tolist() == [*names]
    assert run.parts["pre"].units.unit[0] == "m0.n0<pre>"
    axes = {
        "prompts", "templates", "size", "label noise", "activation noise", "metric", "name pool",
    }  # fmt: skip
    for kind, audit in run.parts.items():
        ledger = audit.tables["ledger"].set_index("axis")
        assert set(ledger.index) == axes | ({SEED_AXIS} if kind != "edges" else set())
        assert {"agreement", "flip_rate", "share"} <= set(ledger.columns)
        assert ledger.runs["name pool"] == 2 and ledger.share.sum() == pytest.approx(1)
        assert (out / kind / "perturbations.csv").is_file()
        assert (out / "figures" / f"{kind}-perturbations.svg").is_file()
    # The twin is the model itself, so all its units are found and all labels recur.
    seeds = run.parts["pre"].tables["seeds"].set_index("model")
    assert seeds.matched_correlation[twin] == pytest.approx(1)
    assert seeds.matched_agreement[twin] == 1 and seeds.matched_agreement[other] < 0.9
    assert (out / "figures" / "card-edges-a2.h0-to-logits.svg").is_file()
    section = json.loads((out / "section.json").read_text())
    files = {table["file"] for table in section["tables"]}
    assert {"edges/clearest.csv", "edges/ledger.csv", "pre/seeds.csv"} <= files
    assert "pre/formulas.csv" in files
    assert any("card-pre-" in figure["file"] for figure in section["figures"])
    assert any("Of the perturbations of one model" in line for line in section["summary"])
    assert any("In models of other training seeds" in line for line in section["summary"])
    assert section["summary"] == neuron_sentences(json.loads((out / "neurons.json").read_text()))
    assert json.loads((out / "neurons.json").read_text())["provenance"]["edges"] == 3


def test_units_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown units sparse; choose from neurons, pre, gate"):
        unit_kinds(NeuronChoice(units="sparse"))
    with pytest.raises(ValueError, match="name one with --circuit"):
        unit_kinds(NeuronChoice(units="edges"))
    assert set(UNITS) == {"neurons", "pre", "gate", "up", "heads", "heads-output", "edges"}
    assert sibling_models("pocket") == ("pocket:1", "pocket:2", "pocket:3", "pocket:4")
    assert sibling_models("some/hub-model") == ()
    assert card_name("heads", "a0.h1") != card_name("heads-output", "a0.h1")
    model = saved_model(tmp_path / "model")
    with pytest.raises(ValueError, match="have no gate, so neurons have no point 'gate'"):
        run_neurons("ioi", model, choice=NeuronChoice(prompts=24, heldout=8, units="gate"))


def test_command_takes_a_circuit_file_and_a_direction(tmp_path):
    from typer.testing import CliRunner

    from circuitvar.reports.commands.cli import app

    model = saved_model(tmp_path / "model")
    edges = tmp_path / "edges.csv"
    edges.write_text("edge,in_circuit\ninput->logits,1\nm1->logits,1\n")
    arguments = ["neurons", "ioi", "--model", model, "--prompts", "60", "--heldout", "10"]
    out = tmp_path / "out"
    found = CliRunner().invoke(
        app,
        [*arguments, "--units", "edges, heads-output", "--circuit", str(edges), "--direction",
         "answer", "--compositions", "3", "--out", str(out)],
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert pd.read_csv(out / "edges" / "units.csv").unit.tolist() == ["input->logits", "m1->logits"]
    provenance = json.loads((out / "neurons.json").read_text())["provenance"]
    assert provenance["direction"] == "answer" and provenance["units"] == ["edges", "heads-output"]
    table = pd.read_csv(out / "heads-output" / "compositions.csv")
    assert len(table) == 8 and table.length.max() == 3
    words = table.formula.str.count(r" (?:AND|OR) ")
    np.testing.assert_array_equal(words + 1, table.length)
    assert (table.searched_iou >= 0).all() and table.gain.between(
        table.low, table.high
    ).mean() > 0.7
    wrong = CliRunner().invoke(app, [*arguments, "--units", "edges", "--out", str(out)])
    assert wrong.exit_code != 0 and "name one with --circuit" in str(wrong.exception)
