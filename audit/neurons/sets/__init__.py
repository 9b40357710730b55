"""Concept sets with a guarantee, certificates, nulls."""

from circuitvar.audit.neurons.sets.aliases import alias_classes, alias_table, class_members
from circuitvar.audit.neurons.sets.audit_frames import unit_frame, vote_frame
from circuitvar.audit.neurons.sets.concept_audit import audit_units
from circuitvar.audit.neurons.sets.concept_sets import (
    conformal_set, interval_set, maxt_set, vote_set,
)
from circuitvar.audit.neurons.sets.null_concepts import null_best

__all__ = [
    "alias_classes", "alias_table", "audit_units", "class_members", "conformal_set", "interval_set",
    "maxt_set", "null_best", "unit_frame", "vote_frame", "vote_set",
]
