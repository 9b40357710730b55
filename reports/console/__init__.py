"""What a terminal shows."""

from circuitvar.reports.console.console import print_table
from circuitvar.reports.console.progress import show_progress
from circuitvar.reports.console.provenance import provenance
from circuitvar.reports.console.summary import print_summary

__all__ = ["print_summary", "print_table", "provenance", "show_progress"]
