"""Perturbation axes, agreement of labels, label files, frames of the driver."""

import json

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.neurons.data.label_files import (
    label_columns,
    read_clip_dissect,
    read_delphi,
    read_linear_explanations,
    read_openai_explanations,
)
from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.similarity.cluster_resampling import ConceptOptions
from circuitvar.audit.neurons.views.perturbation_tables import (
    flip_rate,
    gini_impurity,
    label_ledger,
)
from circuitvar.audit.neurons.views.perturbations import (
    PerturbationOptions,
    noisy_activations,
    noisy_labels,
    perturbed_labels,
)
from tests.audit.neurons.toy_neurons import planted_units


def test_flip_rate_and_impurity_by_hand():
    labels = np.array([[0, 1], [0, 2], [1, 1]])
    np.testing.assert_allclose(gini_impurity(labels), [2 / 3, 2 / 3])
    assert flip_rate(labels, np.array([0, 1])).tolist() == [0, 0.5, 0.5]
    assert flip_rate(labels, np.array([0, -1])).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="needs at least 2"):
        gini_impurity(labels[:1])
    with pytest.raises(ValueError, match="no unit has a reference"):
        flip_rate(labels, np.array([-1, -1]))


def test_ledger_shares_sum_to_one_and_rank_the_axes():
    rng = np.random.default_rng(0)
    reference = np.zeros(200, dtype=int)
    calm = (rng.random((5, 200)) < 0.02).astype(int)
    wild = rng.integers(0, 4, (5, 200))
    runs = {"calm": calm, "wild": wild}
    levels = {axis: dict(zip("abcde", labels, strict=True)) for axis, labels in runs.items()}
    table = label_ledger(levels, reference).set_index("axis")
    assert table.share.sum() == pytest.approx(1)
    assert table.share["wild"] > 0.8
    # Reference and each run differ w.p. 3/4, two runs w.p. 3/4.
    assert table.disagreement["wild"] == pytest.approx(0.75, abs=0.03)
    assert table.flip_rate["calm"] == pytest.approx(0.02, abs=0.01)


def test_every_axis_is_run_and_a_planted_unit_survives_it():
    data, truth = planted_units(150, 6, 12, 6, beta=2.0, seed=0)
    strata = np.repeat(np.arange(150) % 3, 6)
    data = probing_set(np.asarray(data.acts), data.concepts, groups=data.groups, strata=strata)
    for metric in ("pearson", "iou"):
        runs = perturbed_labels(data, metric, rng=np.random.default_rng(1))
        expected = {"prompts", "templates", "size", "label noise", "activation noise", "metric"}
        assert set(runs) == expected | ({"threshold"} if metric == "iou" else set())
    runs = perturbed_labels(data, "pearson", rng=np.random.default_rng(1))
    for axis, levels in runs.items():
        assert flip_rate(np.stack(list(levels.values())), truth).mean() <= 0.05, axis
    none = PerturbationOptions(0, (), (), (), (), ())
    only = perturbed_labels(data, "pearson", rng=np.random.default_rng(1), options=none)
    assert set(only) == {"templates"}


def test_noise_has_the_stated_rates_and_leaves_the_input_alone():
    data, _ = planted_units(500, 4, 3, 2, beta=1.0, seed=0)
    before = data.concepts.copy()
    rng = np.random.default_rng(0)
    fewer = noisy_labels(data, 0.2, kind="missing", rng=rng).concepts
    more = noisy_labels(data, 0.2, kind="extra", rng=rng).concepts
    assert fewer.sum() / before.sum() == pytest.approx(0.8, abs=0.03)
    assert more.sum() / before.sum() == pytest.approx(1.2, abs=0.03)
    moved = noisy_activations(data, 0.5, rng=rng)
    added = np.asarray(moved.acts) - np.asarray(data.acts)
    np.testing.assert_allclose(added.std(0) / np.asarray(data.acts).std(0), 0.5, rtol=0.1)
    np.testing.assert_array_equal(data.concepts, before)
    with pytest.raises(ValueError, match="missing or extra"):
        noisy_labels(data, 0.1, kind="wrong", rng=rng)


def test_driver_frames_are_complete_and_reproducible():
    data, _ = planted_units(120, 5, 6, 5, beta=1.5, seed=3)
    options = NeuronOptions(
        concepts=ConceptOptions(replicates=100, new_replicates=50, null_draws=10),
        inclusion_replicates=5,
    )
    first, second = audit_neurons(data, options), audit_neurons(data, options)
    pd.testing.assert_frame_equal(first.units, second.units)
    pd.testing.assert_frame_equal(first.votes, second.votes)
    assert set(first.tables) == {"linear", "inclusion", "ranges", "ledger", "perturbations"}
    assert first.votes.groupby("unit").vote.sum().max() <= 1 + 1e-9
    assert first.units.held_out.between(first.units.held_low, first.units.held_high).mean() > 0.8
    assert first.options["clusters"] == 120
    json.dumps(first.options)


def test_vision_style_probing_set_gets_certified_labels():
    rng = np.random.default_rng(4)
    c = rng.random((2000, 5)) < 0.3
    acts = 4.0 * c[:, [1]] + 0.1 * rng.normal(size=(2000, 1))
    options = NeuronOptions(
        concepts=ConceptOptions(
            replicates=100, new_replicates=50, null_draws=10, quantile=None, threshold=2.0
        ),
        linear=None, perturbations=None, self_check=False, range_units=0,
    )  # fmt: skip
    row = audit_neurons(probing_set(acts, c), options).units.iloc[0]
    assert row.identified and row.size_ci == 1 and row.faithful_at_least > 0.95
    clustered = probing_set(acts, c, groups=np.repeat(np.arange(500), 4))
    row = audit_neurons(clustered, options).units.iloc[0]
    assert row.label == "concept1" and row.size_ci >= 1


def test_reads_clip_dissect(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("layer,unit,description,similarity\nlayer4,0,red,0.25\nlayer4,2,dog,0.1\n")
    found = read_clip_dissect(path)
    assert found.concept.tolist() == ["red", "dog"] and found.score[0] == 0.25
    assert label_columns(found, [0, 1, 2], ["Dog ", "red"]).tolist() == [1, -1, 0]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="lacks the columns unit, description"):
        read_clip_dissect(path)


def test_reads_linear_explanations(tmp_path):
    path = tmp_path / "le.csv"
    path.write_text(
        "layer,unit,val correlation,weight0,concept0,weight1,concept1,bias,sim correlation\n"
        'layer4,0,0.35,1.78,"bar, wet",0.9,kitchen,0.4,0.41\n'
        "layer4,1,0.1,2.4,toyshop,0.0,0,0.4,0.5\n"
    )
    found = read_linear_explanations(path)
    assert found[["unit", "rank", "concept"]].values.tolist() == [
        [0, 0, "bar, wet"], [0, 1, "kitchen"], [1, 0, "toyshop"],
    ]  # fmt: skip
    assert found.score.tolist() == [0.41, 0.41, 0.5]


def test_reads_openai_explanations(tmp_path):
    folder = tmp_path / "5"
    folder.mkdir()
    record = {
        "neuron_id": {"layer_index": 5, "neuron_index": 7},
        "scored_explanations": [
            {"explanation": " dates ", "scored_simulation": {"ev_correlation_score": 0.3}},
            {"explanation": "years", "scored_simulation": None},
        ],
    }
    (folder / "7.jsonl").write_text(json.dumps(record) + "\n")
    found = read_openai_explanations(tmp_path)
    assert found[["layer", "unit", "concept"]].values.tolist() == [
        ["5", 7, "dates"], ["5", 7, "years"],
    ]  # fmt: skip
    assert found.score[0] == 0.3 and np.isnan(found.score[1])
    (folder / "7.jsonl").write_text('{"a": 1}')
    with pytest.raises(ValueError, match="no neuron_id"):
        read_openai_explanations(tmp_path)


def test_reads_delphi_with_scores(tmp_path):
    explanations, scores = tmp_path / "explanations", tmp_path / "scores"
    explanations.mkdir()
    scores.mkdir()
    (explanations / "layers.3.mlp_latent12.txt").write_text(json.dumps("names of people"))
    examples = [
        {"activating": True, "prediction": True},
        {"activating": True, "prediction": False},
        {"activating": False, "prediction": False},
        {"activating": False, "prediction": None},
    ]
    (scores / "layers.3.mlp_latent12.txt").write_text(json.dumps(examples))
    found = read_delphi(explanations, scores=scores)
    assert found.loc[0, ["layer", "unit", "concept", "score"]].tolist() == [
        "layers.3.mlp", 12, "names of people", 0.75,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        read_delphi(scores / "missing")


def test_label_columns_asks_for_the_layer():
    frame = pd.DataFrame(
        [("a", 0, 0, "x", 1.0, 0.0), ("b", 0, 0, "y", 1.0, 0.0)],
        columns=["layer", "unit", "rank", "concept", "weight", "score"],
    )
    with pytest.raises(ValueError, match=r"layers a, b; pass layer="):
        label_columns(frame, [0], ["x"])
    assert label_columns(frame, [0], ["x", "y"], layer="b").tolist() == [1]
