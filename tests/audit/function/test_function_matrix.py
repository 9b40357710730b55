"""Structure beside function: same job with other edges, another job, and noise are told apart."""

from dataclasses import replace

import numpy as np
import pytest

from circuitvar.audit.agreement.axis import runs_axis
from circuitvar.audit.function.matrix import NOISE, Found, function_matrix, function_row
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.types import Faithfulness
from circuitvar.tasks.catalog import get_task

EDGES, EXAMPLES = 40, 64
TEMPLATES = tuple(f"t{i % 8}" for i in range(EXAMPLES))


def _run_of(gain):
    """A model in which circuit `kept` under a condition restores the share `gain(condition, kept)`
    of a gap of 2, with noise."""

    def run(condition, masks):
        rng = np.random.default_rng(ord(condition[0]))
        out = []
        for mask in masks:
            circuit = 2 * gain(condition, mask) + 0.1 * rng.normal(size=EXAMPLES)
            zeros = np.zeros(EXAMPLES)
            out.append(
                Faithfulness(circuit, zeros + 2, zeros, zeros > 1, zeros < 1, zeros, "x",
                             "patching", TEMPLATES)
            )  # fmt: skip
        return out

    return run


def _mask(*edges):
    mask = np.zeros(EDGES, dtype=bool)
    mask[list(edges)] = True
    return mask


A, B = _mask(0, 1, 2, 3), _mask(4, 5, 6, 7)
NULL = np.stack([_mask(*range(20 + i, 24 + i)) for i in range(10)])
CIRCUITS = {
    f"{name}{i}": Found(name, kept) for name, kept in (("a", A), ("b", B)) for i in (1, 2, 3)
}
AXIS = runs_axis(
    np.stack([found.kept for found in CIRCUITS.values()]), key="x", title="x", unit="run"
)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (lambda condition, mask: 0.9 * mask[:8].any(), "equal function"),
        (
            lambda condition, mask: 0.9 * mask[0] if condition == "a" else 0.9 * mask[4],
            "different function",
        ),
        (lambda condition, mask: 0.05, NOISE),
    ],
    ids=["two routes", "two jobs", "noise"],
)
def test_the_same_disjoint_edge_sets_are_read_by_what_they_do(gain, words):
    found = function_matrix(CIRCUITS, ("a", "b"), _run_of(gain), null=NULL)
    row = function_row(found, AXIS, bars=Bars())
    assert row["reading"].endswith(words) or row["reading"] == words
    assert row["jaccard"] == AXIS.jaccard.value
    assert found.value.shape == (6, 2)


def test_kept_is_the_ratio_of_others_to_own():
    """Circuits of a do .9 at home and .6 away, those of b .8 and .4: (.4 + .6) / (.9 + .8)."""
    level = {("a", 0): 0.9, ("b", 0): 0.6, ("b", 4): 0.8, ("a", 4): 0.4}

    def gain(condition, mask):
        return level.get((condition, int(np.flatnonzero(mask)[0])), 0.0)

    found = function_matrix(CIRCUITS, ("a", "b"), _run_of(gain), null=NULL)
    assert found.kept.value == pytest.approx(1.0 / 1.7, abs=0.02)
    assert found.kept.low < 1.0 / 1.7 < found.kept.high
    assert found.kept.n == 8, "templates are the unit, and the same ones in both conditions"
    assert found.own == pytest.approx(0.85, abs=0.02)


def test_one_condition_compares_with_the_first_circuit():
    circuits = {"audited": Found("here", A), "other": Found("here", B)}
    found = function_matrix(
        circuits, ("here",), _run_of(lambda c, mask: 0.8 if mask[0] else 0.2), null=NULL[:0]
    )
    assert found.kept.value == pytest.approx(0.25, abs=0.03)
    assert found.frame().columns.tolist() == ["circuit", "prompts", "faithfulness"]


def test_circuits_that_do_nothing_have_no_share():
    found = function_matrix(CIRCUITS, ("a", "b"), _run_of(lambda c, mask: 0.0), null=NULL)
    assert found.kept.interval == "none: own circuits near 0"


@pytest.mark.parametrize(
    "circuits", [{"a": Found("a", A)}, {"a": Found("a", A), "b": Found("c", B)}]
)
def test_a_matrix_needs_two_circuits_and_their_conditions(circuits):
    with pytest.raises(ValueError, match="a matrix needs two"):
        function_matrix(circuits, ("a", "b"), _run_of(lambda c, mask: 1.0), null=NULL)


SETTINGS = Settings(
    n=48, heldout=32, bootstrap=10, pairs=2, exact=0, fresh=3, random=10, steps=2,
    other_methods=("eap",), ablations=("mean", "zero"), noise=(1.0,), corruptions=("all",),
)  # fmt: skip


def test_every_axis_of_an_audit_has_a_matrix(pocket):
    """Data sets, methods, corruptions, amplitudes, ablations, templates and matched seeds."""
    audit = audit_circuit(
        get_task("ioi"), pocket, SETTINGS, seed_models=(load_model("pocket:1"),), allow_weak=True
    )
    table = audit.tables["function"].set_index("axis")
    wanted = {"paraphrase", "fresh-data", "method", "corruption", "noise", "ablation"}
    assert {*table.index} == {*wanted, "seed-matched"}
    axes = {axis.key: axis for axis in audit.axes}
    for key, row in table.iterrows():
        assert row["jaccard"] == axes[str(key)].jaccard.value
        assert row["reading"] == NOISE or "structure" in row["reading"]
    matrix = audit.tables["cross_faithfulness_axes"]
    sizes = matrix.groupby("axis")[["circuit", "prompts"]].nunique()
    assert sizes.loc["corruption"].tolist() == [5, 5]
    assert sizes.loc["seed-matched"].tolist() == [2, 2]
    assert sizes.loc["ablation", "prompts"] == 3
    assert np.isfinite(matrix["faithfulness"]).all()


def test_seeds_keep_function_only_after_matching(pocket):
    """A model and its copy with permuted heads: matched circuits do the same job."""
    same = audit_circuit(
        get_task("ioi"), pocket,
        replace(SETTINGS, ablations=(), noise=(), corruptions=(), other_methods=(), fresh=0),
        seed_models=(replace(pocket, name="copy"),), allow_weak=True,
    )  # fmt: skip
    row = same.tables["function"].set_index("axis").loc["seed-matched"]
    assert row["kept"] == pytest.approx(1.0, abs=1e-6)


def test_two_routes_share_function_across_data_sets():
    audit = audit_circuit(
        get_task("planted-two-route"), load_model("planted:two-route"),
        Settings(n=96, heldout=64, bootstrap=10, pairs=2, exact=0, fresh=12, random=10, size=4,
                 other_methods=()),
    )  # fmt: skip
    row = audit.tables["function"].set_index("axis").loc["fresh-data"]
    assert row["jaccard"] < 0.8
    assert row["kept_low"] > 0.9
    assert row["own"] > row["best_random"]
    assert row["reading"].endswith("equal function")
