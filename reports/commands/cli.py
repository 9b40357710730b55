"""The `circuitvar` command: one sentence per mistake, exit code 2, never a traceback for it."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

from circuitvar.reports.commands.from_record import with_options
from circuitvar.reports.commands.make.audit import audit, decide, demo
from circuitvar.reports.commands.make.circuit import evaluate, published, test
from circuitvar.reports.commands.make.design import design
from circuitvar.reports.commands.make.identify import identify
from circuitvar.reports.commands.make.neurons import labels, neurons
from circuitvar.reports.commands.make.score import find, score
from circuitvar.reports.commands.read.folders import check, compare, join, table, verify
from circuitvar.reports.commands.read.lists import doctor, methods, models, tasks
from circuitvar.reports.commands.read.runs import runs
from circuitvar.tasks.lookup import near

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


COMMANDS = (
    demo, audit, score, design, decide, find, evaluate, test, published, neurons, labels, identify,
    table, compare, check, verify, join, doctor, tasks, methods, models,
)  # fmt: skip
"""In the order of the help."""
FORMER: dict[str, dict[str, str]] = {}
"""Command -> former name of an option -> its name."""
for function in COMMANDS:
    command = with_options(function)
    FORMER[command.__name__] = command.formerly  # pyright: ignore[reportFunctionMemberAccess]
    app.command(command.__name__)(command)
app.add_typer(runs, name="runs")


def refuse_former_names(arguments: Sequence[str]) -> None:
    """Refuse an option that has another name now, and say which."""
    former = FORMER.get(arguments[0], {}) if arguments else {}
    for given in arguments:
        name = given.partition("=")[0]
        if name in former:
            raise ValueError(f"{name} of `{arguments[0]}` is now called {former[name]}")


USAGE_ERROR = cast(type[Exception], typer.BadParameter.__base__)
"""What typer raises when it cannot read a command; its own name for it is private."""


def sentence(error: Any) -> str:
    """What typer found wrong with a command, in one sentence, with the nearest name there is."""
    text = " ".join(error.format_message().split()).rstrip(".")
    name = getattr(error, "option_name", None)
    if name is not None and error.ctx is not None and text.startswith("No such option"):
        known = [option for parameter in error.ctx.command.params for option in parameter.opts]
        text = f"No such option: {name}{near(name, known)}"
    help_ = f" (see `{error.ctx.command_path} --help`)" if error.ctx is not None else ""
    return f"{text[:1].lower()}{text[1:]}{help_}"


class _Notes(logging.Handler):
    """What was left out or read otherwise, once for each kind, as one line on standard error."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message of a kind that was not told yet; draws differ in its numbers alone."""
        text = record.getMessage()
        kind = re.sub(r"first: .*|\d+", "", text)
        if kind not in self.told:
            self.told.add(kind)
            print(f"note: {text}", file=sys.stderr)


def main() -> None:
    """Run the command line. A user's mistake is a ValueError or OSError with one sentence.

    `CIRCUITVAR_DEBUG=1` shows the traceback instead.
    """
    logger, notes = logging.getLogger("circuitvar"), _Notes()
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    try:
        refuse_former_names(sys.argv[1:])
        code = app(standalone_mode=False) or 0
    except (ValueError, OSError) as error:
        if os.environ.get("CIRCUITVAR_DEBUG"):
            raise
        print(f"circuitvar: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except USAGE_ERROR as error:
        if len(sys.argv) > 1:
            print(f"circuitvar: {sentence(error)}", file=sys.stderr)
        code = 2
    finally:
        logger.removeHandler(notes)
    if code == 130:
        print("circuitvar: interrupted; finished blocks are kept", file=sys.stderr)
    raise SystemExit(code)
