"""From a question to its tables and summary."""

from circuitvar.audit.identifiability.tables.count_summary import summarize_counts
from circuitvar.audit.identifiability.tables.net_tables import Frames, net_tables

__all__ = ["Frames", "net_tables", "summarize_counts"]
