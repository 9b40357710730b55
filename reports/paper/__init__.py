"""Tables for a paper."""

from circuitvar.reports.paper.paper_layouts import LAYOUTS
from circuitvar.reports.paper.paper_tables import paper_table

__all__ = ["LAYOUTS", "paper_table"]
