"""Pictures of circuits."""

from circuitvar.circuits.drawing.draw import draw_circuit

__all__ = ["draw_circuit"]
