"""`identify` from names to a folder and a page section."""

from circuitvar.reports.identify.settings import net_options
from circuitvar.reports.identify.small_nets import (
    experiments_called, run_identify, run_paper_tables,
)
from circuitvar.reports.identify.transformer import ModelOptions, run_identify_model

__all__ = [
    "ModelOptions", "experiments_called", "net_options", "run_identify", "run_identify_model",
    "run_paper_tables",
]
