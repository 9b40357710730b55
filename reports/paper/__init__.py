"""Tables for a paper."""

from circuitvar.reports.paper.layouts import LAYOUTS
from circuitvar.reports.paper.tables import paper_table

__all__ = ["LAYOUTS", "paper_table"]
