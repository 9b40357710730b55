"""Methods that are no function of single examples are caught before they are believed."""

from dataclasses import replace

import numpy as np
import pytest

from circuitvar.circuits.methods.catalog import METHODS, get_method
from circuitvar.circuits.scores.probe import probe_method
from circuitvar.circuits.types import Method
from circuitvar.reports.compare import check_method
from circuitvar.reports.compare.method_check import planted_case
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model

EAP = get_method("eap")


def eap(model, batch, metric, options):
    return EAP.fn(model, batch, metric=metric, options=options).values.detach().numpy()


def standardised(model, batch, *, metric, options):
    values = eap(model, batch, metric, options)
    return values - values.mean(axis=0)


def unseeded(model, batch, *, metric, options):
    values = eap(model, batch, metric, options)
    return values + 0.1 * np.abs(values).max() * np.random.default_rng().normal(size=values.shape)


def by_place(model, batch, *, metric, options):
    return eap(model, batch, metric, options) * (1 + np.arange(len(batch)))[:, None]


def tenfold(model, batch, *, metric, options):
    return 10 * eap(model, batch, metric, options)


def probed(method, model=None, batch=None):
    model, batch = model or toy_model("gpt2"), toy_batch(6) if batch is None else batch
    return probe_method(model, batch, method, metric=LOGIT_DIFF, exact=get_method("exact"))


@pytest.mark.parametrize(
    ("fn", "said"),
    [
        (standardised, "scores of a prompt depend on the others of its batch"),
        (unseeded, "two calls on the same prompts differ"),
        (by_place, "scores depend on the order of the prompts"),
    ],
)
def test_what_is_no_score_of_an_example_is_named_and_refused(fn, said):
    found = probed(Method(fn.__name__, "", fn, ""))
    assert any(text.startswith(said) for text in found.refused)
    with pytest.raises(ValueError, match=f"{fn.__name__}' cannot be judged on .*: .*{said}"):
        check_method(fn)


def test_another_unit_is_flagged_unless_it_is_said():
    """On planted models EAP is close to exact, so ten times it is not."""
    case = planted_case("two-route", n=8)
    how = {"metric": case.metric, "exact": get_method("exact")}
    plain, ten, native = (
        probe_method(case.model, case.batch, method, **how)
        for method in (
            EAP,
            Method("tenfold", "", tenfold, ""),
            Method("tenfold", "", tenfold, "", unit="native"),
        )
    )
    assert plain.scale == native.scale == ""
    assert ten.slope == pytest.approx(10 * plain.slope) and not ten.refused
    assert "times the exact effects of the strongest edges: divide them" in ten.scale
    gate = check_method(tenfold, baseline=EAP, cases=[case])
    assert [row.measure for row in gate.rows if row.outcome == "worse"] == ["scale against exact"]
    assert gate.outcome == "worse"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.key)
def test_every_method_of_the_catalog_is_sound(method):
    found = probed(method)
    assert found.refused == ()


def test_a_wrong_shape_and_scores_that_are_not_finite_are_refused():
    for fn in (
        lambda model, batch, **_: np.zeros((len(batch), 3)),
        lambda model, batch, **_: np.full((len(batch), model.graph.n_edges), np.nan),
    ):
        with pytest.raises(ValueError, match="mine"):
            probed(replace(EAP, key="mine", fn=fn))
