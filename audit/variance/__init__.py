"""Variance components, the ledger, and the distance from exact patching."""

from circuitvar.audit.variance.against_exact import (
    OnExact, agreement_estimates, agreement_with_exact, exact_numbers, methods_table,
)
from circuitvar.audit.variance.component_intervals import (
    FEW, component_estimate, component_interval, mls_interval,
)
from circuitvar.audit.variance.designs import (
    FunctionalAnova, cross, functional_anova, moment_components,
)
from circuitvar.audit.variance.ledger import (
    Part, choice_part, components_of, ledger, sampling_parts, selection_ledger,
)
from circuitvar.audit.variance.variance_components import (
    Components, design_effect, nested, two_way, within_between,
)

__all__ = [
    "Components", "FEW", "FunctionalAnova", "OnExact", "Part", "agreement_estimates",
    "agreement_with_exact", "choice_part", "component_estimate", "component_interval",
    "components_of", "cross", "design_effect", "exact_numbers", "functional_anova", "ledger",
    "methods_table", "mls_interval", "moment_components", "nested", "sampling_parts",
    "selection_ledger", "two_way", "within_between",
]
