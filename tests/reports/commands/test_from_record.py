"""Options from records: defaults, ranges and names stand at the field and nowhere else."""

import ast
from collections import Counter, defaultdict
from inspect import signature
from pathlib import Path

import pytest

from circuitvar.audit.identifiability.nets.train import Recipe
from circuitvar.audit.settings import Settings
from circuitvar.circuits.methods.catalog import METHODS
from circuitvar.circuits.option import options_of
from circuitvar.circuits.types import ABLATIONS, ScoreOptions
from circuitvar.reports.commands import cli, keys
from circuitvar.reports.commands.cli import FORMER, refuse_former_names
from circuitvar.reports.commands.from_record import _fields as fields_of
from circuitvar.reports.options import (
    CircuitTestOptions,
    EvaluateOptions,
    FindOptions,
    ModelChoice,
    NetTraining,
    ScoreChoice,
)
from circuitvar.tasks.catalog import TASKS
from circuitvar.tasks.planted import PLANTED
from circuitvar.tasks.tokens import METRICS
from tests.reports.commands.test_cli import commands
from tests.reports.commands.toy_commands import run

ROOT = Path(__file__).parents[3]
RECORDS = {
    "audit": (Settings, ModelChoice),
    "score": (ScoreOptions, ScoreChoice, ModelChoice),
    "find": (FindOptions, ModelChoice),
    "evaluate": (EvaluateOptions, ModelChoice),
    "test": (CircuitTestOptions, ModelChoice),
}


def test_completed_keys_are_those_there_are():
    assert set(keys.KEYS["task"]) == {task.key for task in (*TASKS, *(p.task for p in PLANTED))}
    assert keys.KEYS["method"] == tuple(method.key for method in METHODS)
    assert set(keys.KEYS["metric"]) == {metric.key for metric in METRICS}
    assert keys.KEYS["ablation"] == ABLATIONS
    assert {f"planted:{planted.key}" for planted in PLANTED} <= set(keys.KEYS["model"])


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


def test_the_default_of_a_shared_option_stands_once():
    """An alias such as `option.Steps` has one literal default; other records point at the field."""
    literals = Counter()
    files = [ROOT / "circuits/types.py", ROOT / "audit/settings.py"]
    for path in (*files, *(ROOT / "reports/options").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            alias = node.annotation if isinstance(node, ast.AnnAssign) else None
            if isinstance(alias, ast.Name | ast.Attribute) and isinstance(node.value, ast.Constant):
                if node.value.value not in (None, False, ""):
                    literals[ast.unparse(alias)] += 1
    shared = {
        name: n for name, n in literals.items() if name not in ("int", "str", "float", "bool")
    }
    assert shared["option.Steps"] == shared["option.Method"] == shared["Alpha"] == 1
    assert set(shared.values()) == {1}


def test_a_shared_option_has_one_default_in_all_commands():
    defaults = defaultdict(set)
    for function in cli.COMMANDS:
        for parameter in signature(function, eval_str=True).parameters.values():
            for found in fields_of(parameter):
                if found.default is not ... and found.name not in ("out", "n"):
                    defaults[found.about].add(repr(found.default))
    assert {about.help: found for about, found in defaults.items() if len(found) > 1} == {}


def test_nets_of_the_command_are_those_of_python():
    recipe, nets = Recipe(), NetTraining()
    assert (recipe.depth, recipe.noise, recipe.loss_target) == (
        nets.depth,
        nets.noise,
        nets.loss_target,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("audti",), "no such command 'audti'. Did you mean 'audit'?"),
        (("score", "ioi", "--methd", "eap"), "no such option: --methd; did you mean '--method'?"),
        (("audit", "ioi", "--n", "x"), "invalid value for '--n'"),
        (("evaluate", "c.csv"), "missing option '--model'"),
        (("score", "ioi", "--method", "eap", "--steps", "9"), "has no integration steps"),
        (("audit", "ioi", "--method", "eap", "--steps", "9"), "has no integration steps"),
        (("find", "ioi", "--finder", "acdc", "--rule", "greedy"), "chooses edges by itself"),
        (("find", "ioi", "--epsilon", "0.2"), "rule 'top-n' does not read --epsilon: leave it out"),
    ],
)
def test_a_command_that_cannot_be_read_is_one_sentence(monkeypatch, capsys, arguments, sentence):
    code, out, err = run(monkeypatch, capsys, *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"circuitvar: {sentence}") or sentence in err


def test_steps_that_only_a_compared_method_reads_are_taken(monkeypatch, capsys):
    given = ("audit", "iio", "--method", "eap", "--steps", "9", "--preset", "paper")
    code, _, err = run(monkeypatch, capsys, *given)
    assert code == 2 and "unknown task 'iio'" in err
