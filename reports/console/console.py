"""What the terminal shows: tables and the summary of an audit, plain when piped."""

import sys

import pandas as pd


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
