"""What a terminal shows: tables, and progress on standard error; plain or silent when piped."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd

Progress = Callable[[str, int, int], None]
"""`progress(stage, done, total)`: called after each finished block."""


@contextmanager
def show_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Yield a callback that draws one bar per stage, or does nothing when nobody is looking."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich import progress as rich
    from rich.console import Console

    bars = rich.Progress(
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description:<34}"),
        rich.BarColumn(bar_width=24),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    rows: dict[str, object] = {}

    def update(stage: str, done: int, total: int) -> None:
        if stage not in rows:
            rows[stage] = bars.add_task(stage, total=total)
        bars.update(rows[stage], completed=done, total=total)  # pyright: ignore[reportArgumentType]

    with bars:
        yield update


def print_table(frame: pd.DataFrame, *, title: str = "", digits: int = 4) -> None:
    """Print a frame as a table, floats with `digits` digits; tab-separated when piped."""
    rows = [
        [f"{cell:.{digits}g}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in frame.itertuples(index=False)
    ]
    if not sys.stdout.isatty():
        print("\n".join("\t".join(row) for row in [map(str, frame.columns), *rows]))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, header_style="bold", show_lines=False)
    for column in frame.columns:
        table.add_column(str(column))
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
