"""`neurons` from names to a folder and a page section."""

from circuitvar.reports.neurons.command import run_neurons
from circuitvar.reports.neurons.labels import run_labels
from circuitvar.reports.neurons.write import best_units

__all__ = ["best_units", "run_labels", "run_neurons"]
