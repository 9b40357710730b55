"""The `circuitvar` command: one sentence per mistake, exit code 2, never a traceback for it."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from circuitvar.reports.commands.from_record import with_options
from circuitvar.reports.commands.make import (
    audit,
    decide,
    demo,
    design,
    evaluate,
    find,
    identify,
    labels,
    neurons,
    published,
    score,
    test,
)
from circuitvar.reports.commands.read import doctor, folders, lists

app = typer.Typer(
    name="circuitvar",
    help="Error bars for circuits: how much of a circuit survives another sample, another "
    "wording, another method, another training seed.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(version("circuitvar"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


FORMER: dict[str, dict[str, str]] = {}
"""Command -> former name of an option -> its name."""


def _from_records(name: str, function: Callable[..., None]) -> None:
    command = with_options(function)
    FORMER[name] = command.formerly  # pyright: ignore[reportFunctionMemberAccess]
    app.command(name)(command)


app.command("demo")(demo.demo)
_from_records("audit", audit.audit)
_from_records("score", score.score)
app.command("design")(design.design)
_from_records("decide", decide.decide)
_from_records("find", find.find)
_from_records("evaluate", evaluate.evaluate)
_from_records("test", test.test)
_from_records("published", published.published)
_from_records("neurons", neurons.neurons)
_from_records("labels", labels.labels)
app.command("identify")(identify.identify)
app.command("table")(folders.table)
app.command("compare")(folders.compare)
app.command("check")(folders.check)
app.command("verify")(folders.verify)
app.command("join")(folders.join)
app.command("doctor")(doctor.doctor)
app.command("tasks")(lists.tasks)
app.command("methods")(lists.methods)
app.command("models")(lists.models)


def refuse_former_names(arguments: Sequence[str]) -> None:
    """Refuse an option that has another name now, and say which."""
    former = FORMER.get(arguments[0], {}) if arguments else {}
    for given in arguments:
        name = given.partition("=")[0]
        if name in former:
            raise ValueError(f"{name} of `{arguments[0]}` is now called {former[name]}")


def main() -> None:
    """Run the command line. A user's mistake is a ValueError or OSError with one sentence.

    `CIRCUITVAR_DEBUG=1` shows the traceback instead.
    """
    try:
        refuse_former_names(sys.argv[1:])
        app()
    except (ValueError, OSError) as error:
        if os.environ.get("CIRCUITVAR_DEBUG"):
            raise
        print(f"circuitvar: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("circuitvar: interrupted; finished blocks are kept", file=sys.stderr)
        raise SystemExit(130) from None
