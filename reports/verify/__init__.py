"""Recompute a report from its stored scores."""

from circuitvar.reports.verify.verify import verify_path
from circuitvar.reports.verify.verify_scores import SCORES, read_settings

__all__ = ["SCORES", "read_settings", "verify_path"]
