"""`audit` from names to a folder, with its provenance and its last words."""

from circuitvar.reports.audit.run_audit import run_audit

__all__ = ["run_audit"]
