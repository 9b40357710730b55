"""What the terminal shows: tables and the summary of an audit, plain when piped."""

import sys

import pandas as pd


def print_table(frame: pd.DataFrame, *, title: str = "") -> None:
    """Print a frame of strings as a table; tab-separated when the output is piped."""
    if not sys.stdout.isatty():
        print("\t".join(map(str, frame.columns)))
        for row in frame.itertuples(index=False):
            print("\t".join(map(str, row)))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, header_style="bold", show_lines=False)
    for column in frame.columns:
        table.add_column(str(column))
    for row in frame.itertuples(index=False):
        table.add_row(*(escape(str(cell)) for cell in row))
    Console().print(table)
