"""`identify` from names to a folder and a page section."""

from circuitvar.reports.identify.identify_command import (
    experiments_called, run_identify, run_paper_tables,
)
from circuitvar.reports.identify.identify_model import ModelOptions, run_identify_model
from circuitvar.reports.identify.identify_settings import net_options

__all__ = [
    "ModelOptions", "experiments_called", "net_options", "run_identify", "run_identify_model",
    "run_paper_tables",
]
