"""End to end: audits of planted models say what is planted."""

import numpy as np
import pytest

from circuitvar.audit.agreement.wording import LOST, wording
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.types import Verdict
from circuitvar.audit.verdicts import reading_verdict, source_verdict, structure_verdict
from circuitvar.circuits.loading.load import load_model
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.planted.two_route import phi_of_top_four

SETTINGS = Settings(
    n=96, heldout=64, bootstrap=50, pairs=12, exact=0, fresh=12, random=10, size=4, other_methods=()
)
READING = "Circuits of different prompts share structure and function"
SOURCE = "Templates agree as well as random groups of prompts"


def _audit(key: str):
    found = audit_circuit(get_task(f"planted-{key}"), load_model(f"planted:{key}"), SETTINGS)
    return found, {verdict.claim: verdict for verdict in found.verdicts}


@pytest.fixture(scope="module")
def two_route():
    return _audit("two-route")


@pytest.fixture(scope="module")
def gated():
    return _audit("gated")


def test_two_routes_are_unstable_structure_with_equal_function(two_route):
    _, verdicts = two_route
    assert verdicts[READING].reason.startswith("unstable structure, equal function: ")
    assert verdicts[READING].outcome == "fail"
    assert not verdicts[SOURCE].reason.startswith("between-template")


def test_intervals_of_nearly_tied_routes_hold_the_truth(two_route):
    """One data set can make its halves agree nearly always or never: no interval may be narrow."""
    audit, _ = two_route
    truth = phi_of_top_four(audit.scores.graph.n_edges)
    for axis in audit.axes:
        if axis.key in ("halves-template", "halves-prompt", "paraphrase", "fresh-data"):
            assert axis.phi.low <= truth <= axis.phi.high, axis.key
            assert axis.phi.high - axis.phi.low > 0.2, axis.key


def test_a_gated_circuit_differs_between_templates(gated):
    _, verdicts = gated
    assert verdicts[SOURCE].reason.startswith("between-template: ")
    assert verdicts[SOURCE].outcome == "fail"
    assert verdicts[READING].reason.startswith("unstable structure, different function: ")


def test_the_exact_ledger_of_the_gated_model_is_all_between_templates():
    audit = audit_circuit(
        get_task("planted-gated"), load_model("planted:gated"),
        Settings(n=64, heldout=32, bootstrap=20, pairs=4, exact=32, fresh=0, random=10, size=4,
                 other_methods=()),
    )  # fmt: skip
    every = audit.tables["ledger"].query("group == 'all edges'").set_index("source")
    assert every.loc["between templates", "share"] == pytest.approx(1.0, abs=1e-6)


def _verdict(outcome):
    return Verdict("The edge set is stable: x", "", outcome, f"x is {outcome}.")


@pytest.mark.parametrize(
    ("structure", "function", "outcome", "words"),
    [
        ("pass", "pass", "pass", "stable structure, equal function"),
        ("fail", "pass", "fail", "unstable structure, equal function"),
        ("fail", "fail", "fail", "unstable structure, different function"),
        ("undecided", "pass", "undecided", "undecided structure, equal function"),
        ("no compression", "pass", "no compression", "no compression"),
    ],
)
def test_every_reading(structure, function, outcome, words):
    found = reading_verdict(_verdict(structure), _verdict(function))
    assert (found.outcome, found.reason.split(":")[0]) == (outcome, words)


def test_no_axis_of_data_is_undecided():
    assert structure_verdict({}).outcome == "undecided"


def test_random_templates_lose_nothing():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(80, 60)) + 0.6 * rng.normal(size=60)
    labels = tuple(f"t{i % 8}" for i in range(80))
    found = wording(scores, labels, size=6, rng=rng)
    assert found.lost.name == LOST
    assert found.lost.low < 0 < found.lost.high
    assert len(found.lost.draws) == 39


def test_templates_without_effect_lose_nothing():
    """Templates without effect: 0 is outside in at most about 5 % of data sets."""
    missed = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(32, 30)) + rng.normal(size=30)
        labels = tuple(f"t{i % 4}" for i in range(32))
        lost = wording(scores, labels, size=4, rng=rng).lost
        missed += not lost.low <= 0 <= lost.high
    assert missed <= 12
    assert source_verdict(lost).claim == SOURCE


def test_the_loss_to_wording_is_held():
    """The range over random groupings alone held .68 to .96 of losses."""
    rng, found = np.random.default_rng(0), []
    effect = 0.4 * rng.standard_t(3, size=80)
    label = np.repeat(np.arange(12), 6)
    names = tuple(map(str, label))
    for _ in range(60):
        scores = effect + 0.5 * rng.normal(size=(12, 80))[label] + rng.normal(size=(72, 80))
        found.append(wording(scores, names, size=10, rng=rng).lost)
    truth = float(np.mean([lost.value for lost in found]))
    assert truth > 0.1
    assert np.mean([lost.low <= truth <= lost.high for lost in found]) >= 0.92
