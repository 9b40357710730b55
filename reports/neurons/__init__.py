"""`neurons` from names to a folder and a page section."""

from circuitvar.reports.neurons.neuron_units import UnitChoice
from circuitvar.reports.neurons.neurons_command import run_neurons
from circuitvar.reports.neurons.neurons_write import best_units

__all__ = ["UnitChoice", "best_units", "run_neurons"]
