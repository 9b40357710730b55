"""What a user names, as objects."""

from circuitvar.reports.named.circuit_by_name import (
    NamedCircuit, circuit_task, discovery_and_heldout, resolve_circuit,
)
from circuitvar.reports.named.tasks_by_name import resolve_task

__all__ = [
    "NamedCircuit", "circuit_task", "discovery_and_heldout", "resolve_circuit", "resolve_task",
]
