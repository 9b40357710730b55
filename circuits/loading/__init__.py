"""Models by name or folder, wrapped and checked against exact patching."""

from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.loading.planted import load_planted
from circuitvar.circuits.loading.self_check import self_check
from circuitvar.circuits.loading.wrap import wrap

__all__ = ["load_model", "load_planted", "self_check", "wrap"]
