"""`import circuitvar as cv`: which names it gives, that each is there, and what importing costs."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import circuitvar as cv
from circuitvar.reports import front

PUBLIC = """
Audit Axis Bars Batch Circuit Corruption Design EdgeScores Estimate Faithfulness Graph Method Metric
Model PromptPair ScoreOptions Settings Task Verdict audit_circuit check_method compare_reports
evaluate get_method get_metric get_task halves_agreement identify load_model methods neurons
paper_table read_card read_edges read_pairs read_scores run_design sample_batch score_edges stats
take task_from_file testing tokenize top_n verify_report write_edges write_report write_scores
read_design
""".split()
NAMESPACES = ("identify", "methods", "neurons", "stats", "testing")


def test_the_public_names_are_these():
    assert sorted(front.__all__) == sorted(PUBLIC) == dir(cv)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_is_there_and_says_what_it_is(name):
    assert inspect.getdoc(getattr(cv, name))


@pytest.mark.parametrize("space", NAMESPACES)
def test_every_name_of_a_namespace_is_there(space):
    module = getattr(cv, space)
    assert module.__all__ == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is getattr(import_module(f"circuitvar.{space}"), name)
        assert name.isupper() or callable(getattr(module, name))


def test_a_name_stands_for_the_object_of_its_room():
    from circuitvar.audit.agreement import halves_agreement
    from circuitvar.circuits.types import EdgeScores

    assert cv.EdgeScores is EdgeScores
    assert cv.halves_agreement is halves_agreement is cv.stats.halves_agreement


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no public name 'audits'"):
        cv.audits  # noqa: B018
    assert not hasattr(cv, "cache")


def test_importing_it_loads_nothing():
    heavy = ("torch", "pandas", "scipy", "numpy", "circuitvar.tasks")
    code = f"import sys, circuitvar; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
