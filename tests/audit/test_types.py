"""An audit and its parts show themselves and become frames."""

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.identifiability.count import count_valid
from circuitvar.audit.identifiability.nets import Count, pose
from circuitvar.audit.identifiability.nets.boolean_net import make_net
from circuitvar.audit.neurons.data import NeuronAudit
from circuitvar.audit.types import Estimate, Verdict
from tests.reports.toy_audit import toy_audit


def test_an_estimate_shows_its_interval_only_where_it_has_one():
    assert repr(Estimate("phi", 0.5, 0.1, 0.3, 0.7)) == "Estimate(phi: 0.5 [0.3, 0.7])"
    assert repr(Estimate("phi", 0.5)) == "Estimate(phi: 0.5)"
    assert "none" in Estimate("phi", 0.5).summary()


def test_a_verdict_shows_its_claim_and_keeps_its_equality():
    verdict = Verdict("The circuit is stable", "phi > 0.8", "pass", "phi = 0.9")
    assert repr(verdict) == "Verdict(pass: The circuit is stable)"
    assert "phi = 0.9" in verdict.summary() and "needed" not in verdict.summary()
    assert verdict == Verdict("The circuit is stable", "phi > 0.8", "pass", "phi = 0.9")


def test_an_audit_is_a_line_a_text_and_tables():
    audit = toy_audit()
    assert "array" not in repr(audit) and len(repr(audit)) < 200
    for axis in audit.axes:
        assert f"phi, {axis.key}" in audit.summary()
        assert axis.phi.text in axis._repr_html_()
    for verdict in audit.verdicts:
        assert verdict.claim in audit.summary()
    frame = audit.to_frame()
    assert frame["axis"].tolist() == [axis.key for axis in audit.axes]
    assert frame["phi"].tolist() == [axis.phi.value for axis in audit.axes]
    pd.testing.assert_frame_equal(audit.axes[0].to_frame(), frame.head(1))
    assert audit.to_frame("verdicts")["claim"].tolist() == [v.claim for v in audit.verdicts]
    assert audit.to_frame("estimates")["value"].tolist() == [e.value for e in audit.estimates]
    assert audit.to_frame("edges") is audit.edges
    for name, table in audit.tables.items():
        assert audit.to_frame(name) is table
    with pytest.raises(ValueError, match="no table 'nodes'; choose one of stability, verdicts"):
        audit.to_frame("nodes")


def test_a_neuron_audit_counts_its_verdicts():
    units = pd.DataFrame({"unit": list("ab"), "verdict": ["stable", "undecided"]})
    audit = NeuronAudit(units, pd.DataFrame(), pd.DataFrame({"concept": ["x"]}), pd.DataFrame())
    assert repr(audit) == "NeuronAudit(units: 2; concepts: 1; labels: 1 stable, 1 undecided)"
    assert audit.to_frame() is units
    with pytest.raises(ValueError, match="no table 'sets'"):
        audit.to_frame("sets")


def test_counts_of_circuits_show_every_space():
    assert repr(Count("valid circuits", 12, "exact")) == (
        "Count(valid circuits: 12; space: whole; known: exact)"
    )
    copy = make_net([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    found = count_valid(pose(copy, [0, 1]))
    assert repr(found).startswith("ValidCounts(valid, whole: 1; valid, node rule: 0")
    frame = found.to_frame()
    assert frame.set_index("space")["count"].to_dict()["whole"] == 1
    assert repr(found.question) == (
        "Question(widths: (1, 1, 1); rows: 2; criterion: label; ablation: zero)"
    )
