"""What a user names, as objects."""

from circuitvar.reports.named.by_name import (
    NamedCircuit, check_behaviour, circuit_task, discovery_and_heldout, resolve_circuit,
    resolve_task, task_caution,
)

__all__ = [
    "NamedCircuit", "check_behaviour", "circuit_task", "discovery_and_heldout", "resolve_circuit",
    "resolve_task", "task_caution",
]
