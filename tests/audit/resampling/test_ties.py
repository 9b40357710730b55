"""Equal scores look perfectly stable, because ties always go to the same edge."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from circuitvar.audit.resampling.ties import tied_at_cut, with_ties
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.single.claims import EMPTY, claims
from circuitvar.audit.single.collect import collect
from circuitvar.audit.single.perturb import matrix_axes
from circuitvar.audit.verdicts import UNTIE, Bars
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores.score_files import write_scores
from circuitvar.circuits.types import EdgeScores
from circuitvar.reports.audit.summary import print_summary
from circuitvar.reports.card.cautions import cautions
from circuitvar.reports.card.document import check_schema, make_card
from circuitvar.reports.card.texts import card_markdown
from circuitvar.reports.page.headline import headline_sentences
from circuitvar.reports.page.write import write_report
from circuitvar.reports.verify.checks import verify_card, verify_report
from circuitvar.reports.verify.scores import SCORES, score_checks
from circuitvar.tasks.catalog import get_task
from tests.reports.toy_audit import toy_audit

SMALL = Settings(
    n=48, heldout=32, bootstrap=20, pairs=8, exact=0, fresh=0, random=10, size=4, other_methods=()
)
STABLE = "The edge set is stable: "
TIED = "52 edges tie at the cut; their order in the graph decides."


def constant(value):
    """A user's method that gives every edge the same score."""

    def fn(model, batch, **_):
        return torch.full((len(batch), model.graph.n_edges), value)

    return replace(get_method("eap"), key="constant", fn=fn)


def of_gated(settings=SMALL, **more):
    return audit_circuit(get_task("planted-gated"), load_model("planted:gated"), settings, **more)


@pytest.fixture(scope="module")
def ones():
    return of_gated(replace(SMALL, size=20), method=constant(1.0))


@pytest.fixture(scope="module")
def empty():
    """One of the four equally strong edges of the gated model is no path."""
    return of_gated(replace(SMALL, size=1))


@pytest.mark.parametrize(
    ("row", "size", "tied"),
    [
        ([4.0, 3.0, 2.0, 1.0], 2, 0),
        ([4.0, 1.0, 1.0, 1.0], 2, 3),
        ([1.0, -1.0, 1.0, 1.0], 3, 4),
        ([4.0, 1.0, 1.0, 0.0], 3, 0),
        ([4.0, 0.0, 0.0, 0.0], 2, 0),
        ([4.0, 1.0, 1.0 + 1e-7, 0.5], 2, 2),
        ([4.0, 1.0, 1.0 + 1e-5, 0.5], 2, 0),
        ([1.0, 1.0, 1.0, 1.0], 4, 0),
    ],
)
def test_edges_that_tie_for_the_last_places(row, size, tied):
    assert tied_at_cut(np.array([row]), size).tolist() == [tied]


def test_signed_scores_tie_by_their_sign():
    row = np.array([[4.0, 1.0, -1.0, 0.5]])
    assert tied_at_cut(row, 2).tolist() == [2]
    assert tied_at_cut(row, 2, signed=True).tolist() == [0]


def test_one_pair_of_equals_among_many_edges_decides_nothing():
    row = np.arange(1000.0, 0, -1)[None]
    row[0, 199] = row[0, 200]
    assert tied_at_cut(row, 200).tolist() == [0]
    assert tied_at_cut(row[:, 190:], 10).tolist() == [2]


def test_ties_of_most_runs_count_where_the_whole_sample_has_none():
    """Runs of an axis may be made of other scores than the resamples."""
    graph = load_model("planted:gated").graph
    values = np.random.default_rng(0).normal(size=(40, graph.n_edges)).astype(np.float32)
    nothing, templates = np.zeros(40), tuple(f"t{i % 8}" for i in range(40))
    scores = EdgeScores(graph, values, nothing, nothing, "own", "logit_diff", templates)
    axes = matrix_axes(scores, SMALL, 4).axes
    runs = {"paraphrase": np.ones((8, graph.n_edges))}
    found = with_ties(axes, values, runs=runs, clusters=templates, size=4)
    assert {axis.key: axis.tied for axis in found} == {
        "halves-template": 0, "halves-prompt": 0, "bootstrap": 0, "paraphrase": 52,
    }  # fmt: skip


def test_scores_that_are_all_equal_are_not_stable(ones):
    stability = [v for v in ones.verdicts if v.claim.startswith(STABLE)]
    assert len(stability) >= 8
    assert all(axis.phi.value == 1.0 for axis in ones.axes)
    assert {(v.outcome, v.reason) for v in stability} == {("undecided", TIED)}
    by_claim = {v.claim: v for v in ones.verdicts}
    source = by_claim["Templates agree as well as random groups of prompts"]
    assert (source.outcome, source.reason) == ("undecided", TIED)
    reading = by_claim["Circuits of different prompts share structure and function"]
    assert reading.outcome != "pass"


def test_reports_say_that_ties_decide(ones, capsys, tmp_path):
    print_summary(ones, tmp_path, [])
    card = make_card(ones)
    check_schema(card)
    texts = capsys.readouterr().out, " ".join(headline_sentences(ones)), card_markdown(card)
    for text in texts:
        assert "52 edges tie at the cut and their order in the graph decides which" in text
    assert [check.name for check in verify_card(card) if not check.ok] == []


def test_ties_are_recomputed_from_the_scores(ones, tmp_path):
    write_report(ones, tmp_path)
    write_scores(ones.scores, tmp_path / SCORES)
    assert [check for check in verify_report(tmp_path) if not check.ok] == []
    card = make_card(ones)
    card["axes"][0]["tied"] = 0
    failed = [c for c in score_checks(card, tmp_path) if not c.ok]
    assert [(c.name, c.detail) for c in failed] == [("scores: halves-template", "differs in tied")]


def test_ties_in_an_empty_circuit_are_still_ties(ones):
    again = claims(
        ones.axes, ones.estimates, random=np.zeros(10), own=0.0, method="constant", bars=Bars(),
        level=0.95, size=0,
    )  # fmt: skip
    reasons = {v.reason for v in again if v.claim.startswith(STABLE)}
    assert reasons == {TIED}
    assert EMPTY in {v.reason for v in again}
    clear = tuple(replace(axis, tied=0) for axis in ones.axes)
    for size, expected in ((0, {EMPTY}), (None, set())):
        again = claims(
            clear, ones.estimates, random=np.zeros(10), own=0.0, method="constant", bars=Bars(),
            level=0.95, size=size,
        )  # fmt: skip
        assert {v.reason for v in again if "edges" in v.reason} == expected


def test_a_clear_cut_has_no_caution():
    clear = of_gated()
    assert {axis.tied for axis in clear.axes} == {0}
    assert not any("Caution" in text for text in headline_sentences(clear))


def test_a_circuit_without_edges_is_said(empty, capsys, tmp_path):
    assert empty.provenance["size"] == 0
    assert {v.outcome for v in empty.verdicts} == {"undecided"}
    stability = {v.reason for v in empty.verdicts if v.claim.startswith(STABLE)}
    others = {v.reason for v in empty.verdicts if "prompts" in v.claim and v.needed != UNTIE}
    assert stability == {"4 edges tie at the cut; their order in the graph decides."}
    assert others == {EMPTY}
    print_summary(empty, tmp_path, [])
    card = make_card(empty)
    for text in (capsys.readouterr().out, " ".join(headline_sentences(empty)), card_markdown(card)):
        assert EMPTY in text
    assert [check.name for check in verify_card(card) if not check.ok] == []


def test_scores_that_are_all_zero_stop_the_audit_at_once():
    seen = []
    match = "every score of method 'constant' is 0 on these 48 prompts .* use another method"
    with pytest.raises(ValueError, match=match):
        collect(
            get_task("planted-gated"), load_model("planted:gated"), replace(SMALL, exact=8),
            method=constant(0.0), progress=lambda stage, *_: seen.append(stage),
        )  # fmt: skip
    assert set(seen) <= {"constant on 48 prompts"}


@pytest.mark.parametrize(("templates", "said"), [(1, False), (2, True), (3, True), (4, False)])
def test_few_templates_do_not_stand_for_other_wordings(templates, said):
    audit = toy_audit()
    audit = replace(audit, provenance={**audit.provenance, "n_templates": templates})
    found = [text for text in cautions(audit) if "not for other wordings" in text]
    assert bool(found) == said
