"""Methods that approximate patching by gradients or relevance."""

from circuitvar.circuits.methods.gradient.atp_star import atp_star
from circuitvar.circuits.methods.gradient.eap import clean_corrupted, eap
from circuitvar.circuits.methods.gradient.eap import (
    eap_conductance, eap_ig_activations, eap_ig_inputs,
)
from circuitvar.circuits.methods.gradient.hvp import hvp
from circuitvar.circuits.methods.gradient.ifr import information_flow_routes
from circuitvar.circuits.methods.gradient.relp import relp

__all__ = [
    "atp_star", "clean_corrupted", "eap", "eap_conductance", "eap_ig_activations", "eap_ig_inputs",
    "hvp", "information_flow_routes", "relp",
]
