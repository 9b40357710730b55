"""Options from records: defaults, ranges and names stand at the field and nowhere else."""

import pytest

from circuitvar.audit.settings import Settings
from circuitvar.circuits.methods.catalog import METHODS
from circuitvar.circuits.option import options_of
from circuitvar.circuits.types import ABLATIONS, ScoreOptions
from circuitvar.reports.commands import keys
from circuitvar.reports.commands.cli import FORMER, refuse_former_names
from circuitvar.reports.options import (
    CircuitTestOptions,
    EvaluateOptions,
    FindOptions,
    ModelChoice,
    ScoreChoice,
)
from circuitvar.tasks.catalog import TASKS
from circuitvar.tasks.planted import PLANTED
from circuitvar.tasks.tokens import METRICS
from tests.reports.commands.test_cli import commands

RECORDS = {
    "audit": (Settings, ModelChoice),
    "score": (ScoreOptions, ScoreChoice, ModelChoice),
    "find": (FindOptions, ModelChoice),
    "evaluate": (EvaluateOptions, ModelChoice),
    "test": (CircuitTestOptions, ModelChoice),
}


def test_completed_keys_are_those_there_are():
    assert set(keys.TASKS) == {task.key for task in (*TASKS, *(p.task for p in PLANTED))}
    assert keys.METHODS == tuple(method.key for method in METHODS)
    assert set(keys.METRICS) == {metric.key for metric in METRICS}
    assert keys.ABLATIONS == ABLATIONS
    assert {f"planted:{planted.key}" for planted in PLANTED} <= set(keys.MODELS)


@pytest.mark.parametrize("name", RECORDS)
def test_every_option_of_a_record_is_an_option_of_its_command(name):
    command = commands()[name]
    given = {parameter.name: parameter for parameter in command.params}
    for record in RECORDS[name]:
        for field, about in options_of(record).items():
            assert given[field].help.startswith(about.help.removesuffix("."))
            default = getattr(record, field, None)
            if not isinstance(default, tuple) and field not in ("model",):
                assert given[field].default == default


def test_steps_are_integration_steps_everywhere():
    taking = [n for n, c in commands().items() if any("--steps" in p.opts for p in c.params)]
    assert sorted(taking) == ["audit", "score"]
    helps = {p.help for n in taking for p in commands()[n].params if "--steps" in p.opts}
    assert helps == {"Integration steps of eap-ig methods (1 or more)."}


def test_a_confidence_and_an_error_rate_never_share_a_name():
    for name, command in commands().items():
        names = {option for parameter in command.params for option in parameter.opts}
        assert "--level" not in names, name
        assert not {"--confidence", "--alpha"} <= names, name


def test_former_names_are_refused_with_the_new_one():
    assert FORMER["test"]["--level"] == "--alpha"
    assert FORMER["audit"]["--level"] == "--confidence"
    with pytest.raises(ValueError, match="--level of `decide` is now called --confidence"):
        refuse_former_names(["decide", "ioi", "--level", "0.9"])
    refuse_former_names(["verify", "--level"])
