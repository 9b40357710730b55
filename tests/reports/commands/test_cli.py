"""The command line: help everywhere, one sentence per mistake, exit code 2, no traceback."""

import pytest
import typer

from circuitvar.reports.commands import cli
from tests.reports.commands.toy_commands import run


def commands() -> dict:
    """Name -> command, as the command line has them."""
    return dict(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


def test_every_command_and_every_option_has_help():
    for name, command in commands().items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_help_does_not_load_a_model_library(monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "--help")
    assert code == 0
    for name in commands():
        assert name in out


@pytest.mark.parametrize("listing", ["tasks", "methods", "models"])
def test_listings_are_tab_separated_when_piped(monkeypatch, capsys, listing):
    code, out, _ = run(monkeypatch, capsys, listing)
    lines = out.splitlines()
    assert code == 0
    assert len(lines) > 2
    assert len({line.count("\t") for line in lines}) == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["audit"], "give either a task or --data FILE; tasks are ioi"),
        (["audit", "oii"], "ioi"),
        (["audit", "ioi", "--model", "no/such/folder"], "no/such/folder"),
        (["audit", "ioi", "--model", "pocket:9"], "pocket"),
        (["audit", "ioi", "--method", "eap2"], "eap-ig-inputs"),
        (["audit", "ioi", "--metric", "loss"], "logit_diff"),
        (["audit", "ioi", "--corruption", "xyz"], "abc"),
        (["audit", "ioi", "--size", "100000"], "the graph has"),
        (["audit", "ioi", "--n", "2"], "n = 2 is too small"),
        (
            ["audit", "ioi", "--preset", "most"],
            "unknown preset 'most'; choose one of quick, paper, full",
        ),
        (["audit", "ioi", "--bar", "jacard=0.7"], "unknown bar 'jacard'; choose one of jaccard"),
        (["audit", "ioi", "--bar", "phi=7"], "bar 'phi=7': '7' is not a number from 0 to 1"),
        (["audit", "ioi", "--noise", "0"], "has an amplitude that is not positive"),
        (["audit", "ioi", "--other-corruption", "xyz", "--preset", "quick"], "no corruption 'xyz'"),
        (["audit", "ioi", "--device", "tpu"], "tpu"),
        (["audit", "ioi", "--dtype", "int8"], "float32"),
        (["audit", "--data", "missing.csv"], "missing.csv"),
        (["audit", "ioi", "--out", "/proc/nothing"], "cannot write the report"),
        (["doctor", "pocket:77"], "pocket"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(monkeypatch, capsys, tmp_path, arguments, text):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(monkeypatch, capsys, *arguments)
    assert code == 2
    assert text in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*.html"))
