"""The `circuitvar` command: one sentence per mistake, exit code 2, never a traceback for it."""

import os
import sys
from typing import Annotated

import typer

from circuitvar.reports.commands.make import (
    audit,
    decide,
    demo,
    design,
    evaluate,
    find,
    identify,
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
    add_completion=False,
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


app.command("demo")(demo.demo)
app.command("audit")(audit.audit)
app.command("score")(score.score)
app.command("design")(design.design)
app.command("decide")(decide.decide)
app.command("find")(find.find)
app.command("evaluate")(evaluate.evaluate)
app.command("test")(test.test)
app.command("published")(published.published)
app.command("neurons")(neurons.neurons)
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


def main() -> None:
    """Run the command line. A user's mistake is a ValueError or OSError with one sentence.

    `CIRCUITVAR_DEBUG=1` shows the traceback instead.
    """
    try:
        app()
    except (ValueError, OSError) as error:
        if os.environ.get("CIRCUITVAR_DEBUG"):
            raise
        print(f"circuitvar: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("circuitvar: interrupted; finished blocks are kept", file=sys.stderr)
        raise SystemExit(130) from None
