"""Run a circuit: everything outside it ablated."""
