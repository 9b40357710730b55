"""A metric that is equal on clean and corrupted prompts: undefined in words, without warnings."""

import numpy as np

from circuitvar.audit.function import function_estimates, template_matrix
from circuitvar.circuits.types import Faithfulness

TEMPLATES = tuple("aabbccdd")


def _run(circuit):
    same = np.linspace(1, 2, 8)
    return Faithfulness(
        circuit=np.asarray(circuit, dtype=float),
        full=same,
        empty=same,
        flipped=np.zeros(8, dtype=bool),
        correct=np.ones(8, dtype=bool),
        kl=np.zeros(8),
        metric="logit_diff",
        ablation="patching",
        templates=TEMPLATES,
    )


def test_faithfulness_says_why_it_is_undefined():
    found = {e.name: e for e in function_estimates(_run(np.arange(8)))}
    for name in ("faithfulness", "faithfulness (mean of ratios)"):
        assert np.isnan(found[name].value) and np.isnan(found[name].low), name
    assert found["faithfulness"].missing == "undefined: what it is a share of is 0 on average"
    assert found["circuit error"].value == 0
    assert np.isnan(_run(np.arange(8)).value)


def test_a_matrix_of_templates_is_undefined_too():
    runs = {name: _run(np.arange(8) + i) for i, name in enumerate("abcd")}
    found = template_matrix(runs, null=np.empty(0))
    assert np.isnan(found.value).all()
