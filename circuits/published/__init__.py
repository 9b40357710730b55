"""Circuits from papers, and audits of their claims."""

from circuitvar.circuits.published.published import (
    Published, load_published, planted_circuit, published_circuit, published_names,
)
from circuitvar.circuits.published.published_audit import (
    conditions_table, rediscovery_table, role_recall,
)

__all__ = [
    "Published", "conditions_table", "load_published", "planted_circuit", "published_circuit",
    "published_names", "rediscovery_table", "role_recall",
]
