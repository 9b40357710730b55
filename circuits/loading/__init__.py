"""Models by name or folder, wrapped and checked against exact patching."""

from circuitvar.circuits.loading.load import load_model, load_planted, wrap
from circuitvar.circuits.loading.self_check import self_check

__all__ = ["load_model", "load_planted", "self_check", "wrap"]
