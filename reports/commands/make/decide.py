"""`circuitvar decide TASK`: fresh data until stability is above or below a bar."""

from typing import Annotated

from circuitvar.audit.settings import Settings
from circuitvar.circuits.option import COMMON, Option
from circuitvar.reports.commands.arguments import TaskName
from circuitvar.reports.commands.from_record import Only
from circuitvar.reports.options import POCKET, DataFile, ModelChoice, Quiet


def decide(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
    settings: Annotated[Settings, Only("method", "n", "size", "confidence", "seed")] = Settings(
        n=50
    ),
    budget: Annotated[int, Option("Prompts to spend at most; at least 60 n.", COMMON)] = 10_000,
    bar: Annotated[float, Option("phi that counts as stable.", COMMON)] = 0.75,
    quiet: Quiet = False,
) -> None:
    """Compare circuits of fresh pairs of data sets until phi is decided against the bar.

    The interval holds however often it is looked at, so stopping early is allowed.
    """
    from circuitvar.audit.single import until_decided
    from circuitvar.audit.verdicts import Bars
    from circuitvar.reports.console import show_progress
    from circuitvar.reports.named import resolve_task

    question = resolve_task(task, data)
    loaded = where.load()
    with show_progress(quiet=quiet) as progress:
        found, verdict = until_decided(
            question,
            loaded,
            settings,
            budget=budget,
            bars=Bars(phi=bar),
            progress=lambda done, total: progress("pairs of data sets", done, total),
        )
    print(f"{verdict.outcome} after {2 * settings.n * found.n} prompts: {verdict.reason}")
    if verdict.needed:
        print(f"To decide: {verdict.needed}.")
