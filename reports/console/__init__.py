"""What a terminal shows."""

from circuitvar.reports.console.console import print_table
from circuitvar.reports.console.progress import Progress, show_progress

__all__ = ["Progress", "print_table", "show_progress"]
