"""Recompute a report from its stored scores."""

from circuitvar.reports.verify.checks import verify_report
from circuitvar.reports.verify.scores import SCORES, read_settings

__all__ = ["SCORES", "read_settings", "verify_report"]
