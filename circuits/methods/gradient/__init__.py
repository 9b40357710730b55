"""Methods that approximate patching by gradients or relevance."""

from circuitvar.circuits.methods.gradient.atp_star import atp_star
from circuitvar.circuits.methods.gradient.clean_corrupted import (
    clean_corrupted, clean_corrupted_run,
)
from circuitvar.circuits.methods.gradient.eap import eap, eap_run
from circuitvar.circuits.methods.gradient.eap_conductance import eap_conductance
from circuitvar.circuits.methods.gradient.eap_ig_activations import eap_ig_activations
from circuitvar.circuits.methods.gradient.eap_ig_inputs import eap_ig_inputs, eap_ig_inputs_run
from circuitvar.circuits.methods.gradient.hvp import hvp
from circuitvar.circuits.methods.gradient.ifr import information_flow_routes
from circuitvar.circuits.methods.gradient.relp import relp, relp_run

__all__ = [
    "atp_star", "clean_corrupted", "clean_corrupted_run", "eap", "eap_conductance",
    "eap_ig_activations", "eap_ig_inputs", "eap_ig_inputs_run", "eap_run", "hvp",
    "information_flow_routes", "relp", "relp_run",
]
