"""Linear explanations: elastic net, greedy refit, inclusion frequencies."""

from circuitvar.audit.neurons.linear.linear_gram import elastic_net
from circuitvar.audit.neurons.linear.greedy_refit import candidate_order, greedy_refit
from circuitvar.audit.neurons.linear.inclusion_frequency import (
    inclusion_frequency, inclusion_table,
)
from circuitvar.audit.neurons.linear.linear_explanation import (
    LinearExplanations, LinearOptions, explanation_text, linear_explanations, linear_table,
    simulate,
)
from circuitvar.audit.neurons.linear.linear_gram import explained_correlation, gram

__all__ = [
    "LinearExplanations", "LinearOptions", "candidate_order", "elastic_net",
    "explained_correlation", "explanation_text", "gram", "greedy_refit", "inclusion_frequency",
    "inclusion_table", "linear_explanations", "linear_table", "simulate",
]
