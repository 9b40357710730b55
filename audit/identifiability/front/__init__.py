"""From a question to its tables and summary."""

from circuitvar.audit.identifiability.front.net_tables import Frames, net_tables
from circuitvar.audit.identifiability.front.summary import summarize_counts

__all__ = ["Frames", "net_tables", "summarize_counts"]
