"""`audit` from names to a folder."""

from circuitvar.reports.audit.run_audit import run_audit

__all__ = ["run_audit"]
