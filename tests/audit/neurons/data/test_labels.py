"""Labels of other tools, read from their files and judged on the user's own arrays."""

import json

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.neurons.data.label_files import (
    COLUMNS,
    label_columns,
    read_clip_dissect,
    read_delphi,
    read_linear_explanations,
    read_openai_explanations,
)
from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.run.audit_labels import SUPPORT, audit_labels
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.similarity.cluster_resampling import ConceptOptions

LEAN = NeuronOptions(
    concepts=ConceptOptions(replicates=200, new_replicates=50, held_replicates=50, null_draws=10),
    linear=None,
    perturbations=None,
    self_check=False,
    range_units=0,
)
NAMES = ("name", "place", "verb", "second", "position 9", "rare")


@pytest.fixture(scope="module")
def audited():
    """Units: place; noise; verb and name equally; 2 second - place."""
    rng = np.random.default_rng(0)
    concepts = (rng.random((900, 6)) < 0.3).astype(float)
    concepts[:, 4] = concepts[:, 3]
    concepts[:, 5] = np.arange(900) < 4
    noise = rng.normal(size=(900, 4))
    acts = np.column_stack(
        [
            3 * concepts[:, 1] + 0.3 * noise[:, 0],
            noise[:, 1],
            concepts[:, 0] + concepts[:, 2] + noise[:, 2],
            2 * concepts[:, 3] - concepts[:, 1] + 0.1 * noise[:, 3],
        ]
    )
    data = probing_set(acts, concepts, names=NAMES)
    return data, audit_neurons(data, LEAN)


def labelled(*rows):
    return pd.DataFrame([("l", unit, 0, name, 1.0, 0.5) for unit, name in rows], columns=COLUMNS)


def test_every_kind_of_support_is_told_apart(audited):
    data, audit = audited
    assert audit.units.verdict.tolist() == ["stable", "unidentified", "ambiguous", "stable"]
    found = audit_labels(
        data, audit, labelled((5, " Place"), (6, "place"), (7, "verb"), (8, "Position 9")),
        [5, 6, 7, 8],
    )  # fmt: skip
    assert found.support.tolist() == ["confirmed", "undecided", "compatible", "confirmed"]
    assert found.concept[3] == "second = position 9"
    assert found.vote[0] == 1.0 and 0 < found.vote[2] < 1
    wrong = labelled((5, "verb"), (7, "second"), (8, "rare"), (6, "unicorn"))
    found = audit_labels(data, audit, wrong, [5, 6, 7, 8]).set_index("label").support
    assert found.to_dict() == {
        "verb": "contradicted", "unicorn": "unknown concept", "second": "contradicted",
        "rare": "under-powered",
    }  # fmt: skip
    assert set(found) <= set(SUPPORT)


def test_units_that_do_not_match_are_named(audited):
    data, audit = audited
    with pytest.raises(ValueError, match="3 unit numbers for 4 units"):
        audit_labels(data, audit, labelled((5, "verb")), [5, 6, 7])
    with pytest.raises(ValueError, match="none of these units"):
        audit_labels(data, audit, labelled((50, "verb")), [5, 6, 7, 8])


def test_labels_of_all_four_tools_are_audited(audited, tmp_path):
    data, audit = audited
    clip = tmp_path / "clip.csv"
    clip.write_text("layer,unit,description,similarity\nl4,0,place,0.3\nl4,3,name,0.1\n")
    found = audit_labels(data, audit, read_clip_dissect(clip), range(4))
    assert found.support.tolist() == ["confirmed", "contradicted"]
    assert found.reported.tolist() == [0.3, 0.1]

    linear = tmp_path / "linear.csv"
    linear.write_text(
        "layer,unit,val correlation,weight0,concept0,weight1,concept1,bias,sim correlation\n"
        "l4,3,0.9,2.0,second,-1.0,place,0.0,0.95\n"
        "l4,0,0.9,2.9,place,1.0,castle,0.0,0.5\n"
    )
    found = audit_labels(data, audit, read_linear_explanations(linear), range(4)).set_index("unit")
    expected = np.corrcoef(2 * data.concepts[:, 3] - data.concepts[:, 1], data.acts[:, 3])[0, 1]
    assert found.simulation["unit3"] == pytest.approx(expected, abs=1e-5)
    assert expected > 0.99
    assert found.concepts_found.to_dict() == {"unit0": 0.5, "unit3": 1.0}
    assert found.support.to_dict() == {"unit0": "confirmed", "unit3": "confirmed"}

    openai = tmp_path / "5" / "0.jsonl"
    openai.parent.mkdir()
    score = {"ev_correlation_score": 0.2}
    entry = {"explanation": " place ", "scored_simulation": score}
    other = {"explanation": "verb", "scored_simulation": None}
    openai.write_text(json.dumps({"neuron_id": [5, 0], "scored_explanations": [entry, other]}))
    found = audit_labels(data, audit, read_openai_explanations(openai), range(4), layer="5")
    assert found.support.tolist() == ["confirmed"] and found.reported.tolist() == [0.2]
    # A second explanation is an alternative, not a further term.
    assert found.simulation[0] > 0.95 and found.concepts_found[0] == 1

    delphi = tmp_path / "delphi"
    delphi.mkdir()
    (delphi / "layers.1.mlp_latent2.txt").write_text(json.dumps("verb"))
    found = audit_labels(data, audit, read_delphi(delphi), range(4))
    assert found.unit.tolist() == ["unit2"] and found.support.tolist() == ["compatible"]


def test_words_that_mean_nothing_elsewhere_are_words(tmp_path):
    file = tmp_path / "layer4.csv"
    file.write_text("\ufeffunit,description,sim correlation\n0,NA,0.2\n1,null,\n2,none,0.3\n")
    labels = read_clip_dissect(file)
    assert labels["concept"].tolist() == ["NA", "null", "none"]
    assert labels["layer"].unique().tolist() == ["layer4"]
    assert labels["score"].fillna(-1).tolist() == [0.2, -1, 0.3]
    assert label_columns(labels, [1, 2], ["none", "null"]).tolist() == [1, 0]


def test_linear_explanations_without_a_layer_column(tmp_path):
    file = tmp_path / "le.csv"
    file.write_text(
        "unit,val correlation,weight0,concept0,weight1,concept1,sim correlation\n"
        "0,0.37,4.2,bottle,2.7,n/a,0.31\n1,0.2,1.1,cat,0.0,0,0.2\n"
    )
    labels = read_linear_explanations(file)
    assert labels[["concept", "weight", "score"]].values.tolist() == [
        ["bottle", 4.2, 0.31],
        ["n/a", 2.7, 0.31],
        ["cat", 1.1, 0.2],
    ]


def test_a_unit_labelled_twice_is_named(tmp_path):
    file = tmp_path / "twice.csv"
    file.write_text("layer,unit,description\nl,0,red\nl,0,blue\nl,1,red\n")
    with pytest.raises(ValueError, match=r"unit 0 is labelled more than once \('red', 'blue'\)"):
        label_columns(read_clip_dissect(file), [0], ["red"])


@pytest.mark.parametrize(("cell", "column"), [("x", "unit"), ("", "unit"), ("1.2.3", "similarity")])
def test_a_cell_that_is_no_number_is_named(tmp_path, cell, column):
    row = {"unit": "0", "similarity": "0.5"} | {column: cell}
    file = tmp_path / "bad.csv"
    file.write_text(f"unit,description,similarity\n{row['unit']},red,{row['similarity']}\n")
    with pytest.raises(ValueError, match=f"row 1, column '{column}' holds '{cell}'"):
        read_clip_dissect(file)
