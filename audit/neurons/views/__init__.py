"""Other views of a label: ranges, compositions, perturbations, seeds."""

from circuitvar.audit.neurons.views.activation_ranges import polysemantic, range_map
from circuitvar.audit.neurons.views.compositions import composition_table
from circuitvar.audit.neurons.views.error_curve import error_curve
from circuitvar.audit.neurons.views.perturbation_tables import (
    OtherData, SEED_AXIS, perturbation_tables,
)
from circuitvar.audit.neurons.views.perturbations import PerturbationOptions

__all__ = [
    "OtherData", "PerturbationOptions", "SEED_AXIS", "composition_table",
    "error_curve", "perturbation_tables", "polysemantic", "range_map",
]
