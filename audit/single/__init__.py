"""The audit of one circuit: discover, perturb, judge."""

from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.single.claims import EMPTY, claims
from circuitvar.audit.single.perturb import matrix_axes
from circuitvar.audit.single.structure_checks import (
    KEEPS_NOISE, halves_kuncheva, null_table, structure_checks,
)
from circuitvar.audit.single.until_decided import until_decided

__all__ = [
    "EMPTY", "KEEPS_NOISE", "audit_circuit", "claims", "halves_kuncheva", "matrix_axes",
    "null_table", "structure_checks", "until_decided",
]
