"""What a terminal shows."""

from circuitvar.reports.console.console import print_table
from circuitvar.reports.console.progress import show_progress

__all__ = ["print_table", "show_progress"]
