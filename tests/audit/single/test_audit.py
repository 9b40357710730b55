"""The whole audit on the pocket model: what it says is true, and it says it again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from circuitvar.audit.resampling.weights import bootstrap
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.streams import stream
from circuitvar.circuits.find.select import top_n_masks
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.size import circuit_size
from circuitvar.reports.card.document import card_text, make_card
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.tokens.batching import take
from circuitvar.tasks.tokens.metrics import get_metric

SMALL = Settings(n=60, heldout=48, bootstrap=40, pairs=12, exact=24, fresh=3, random=20)


@pytest.fixture(scope="module")
def audited(pocket):
    return audit_circuit(get_task("ioi"), pocket, SMALL, seed_models=(pocket,))


def test_every_axis_of_a_full_audit_is_there(audited):
    assert [axis.key for axis in audited.axes] == [
        "halves-template",
        "halves-prompt",
        "bootstrap",
        "paraphrase",
        "fresh-data",
        "method",
        "seed",
        "seed-matched",
    ]


def test_a_model_is_perfectly_stable_against_itself(audited):
    same = {axis.key: axis for axis in audited.axes}["seed"]
    assert same.jaccard.value == 1.0


def test_it_says_something_true(audited):
    found = {estimate.name: estimate for estimate in audited.estimates}
    assert found["accuracy of the full model"].value > 0.95
    assert found["rank correlation with exact"].value > 0.8
    assert found["top-n overlap with exact"].value > 0.6
    assert found["faithfulness"].value > 0.5


def test_verdicts_follow_from_the_numbers_beside_them(audited):
    axes = {axis.title.lower(): axis for axis in audited.axes}
    stability = [v for v in audited.verdicts if v.claim.startswith("The edge set is stable: ")]
    assert len(stability) == 2 * len(audited.axes)
    for verdict in stability:
        axis = axes[verdict.claim.removeprefix("The edge set is stable: ")]
        estimate = axis.phi if verdict.bar.startswith("phi") else axis.jaccard
        bar = 0.75 if verdict.bar.startswith("phi") else 0.8
        if np.isfinite(estimate.low) and verdict.outcome != "undecided":
            assert verdict.outcome == ("pass" if estimate.low > bar else "fail")
        assert f"{estimate.value:.3f}" in verdict.reason


def test_the_same_seed_gives_the_same_card(pocket, audited):
    again = audit_circuit(get_task("ioi"), pocket, SMALL, seed_models=(pocket,))
    first, second = (json.loads(card_text(make_card(a, seconds=1.0))) for a in (audited, again))
    first.pop("time"), second.pop("time")
    assert first == second


def test_another_seed_draws_other_prompts(pocket, audited):
    few = replace(SMALL, seed=1, exact=0, fresh=0, other_methods=())
    other = audit_circuit(get_task("ioi"), pocket, few)
    assert other.provenance["data_digest"] != audited.provenance["data_digest"]


def test_resampling_the_matrix_is_rerunning_the_method(pocket, ioi_batch, ioi_scores):
    """The claim the suite rests on: a bootstrap replicate's circuit from the stored matrix equals
    the circuit found by scoring the resampled prompts again."""
    resamples = bootstrap(len(ioi_batch), 3, rng=stream(0, "test"))
    size = circuit_size(pocket.graph.n_edges, None)
    from_matrix = top_n_masks(resamples.weights @ ioi_scores.values, size)
    for replicate, counts in enumerate(resamples.counts):
        rows = np.repeat(np.arange(len(ioi_batch)), counts.astype(int))
        again = score_edges(
            pocket,
            take(ioi_batch, rows),
            get_method("eap-ig-inputs"),
            metric=get_metric("logit_diff"),
        )
        rerun = top_n_masks(again.mean[None], size)[0]
        # Equal up to float ties at the cut.
        assert (rerun ^ from_matrix[replicate]).sum() <= 2


def test_sizes_beyond_the_graph_are_refused():
    assert circuit_size(479, None) == 47
    assert circuit_size(32491, None) == 200
    with pytest.raises(ValueError, match="size = 500 but the graph has 479 edges"):
        circuit_size(479, 500)
