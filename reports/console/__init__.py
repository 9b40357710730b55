"""What a terminal shows."""

from circuitvar.reports.console.console import Progress, print_table, show_progress

__all__ = ["Progress", "print_table", "show_progress"]
