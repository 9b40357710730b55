"""The record of one `neurons` run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from circuitvar.audit.neurons.data import NeuronAudit


@dataclass(frozen=True, eq=False)
class NeuronRun:
    """What `run_neurons` found."""

    parts: Mapping[str, NeuronAudit]
    """One audit per kind of unit, see `units.UNITS`."""
    substitution: pd.DataFrame
    """One row per replaced neuron, last row all of them together; empty without `neurons`."""
    bounds: pd.DataFrame
    """Error against bounds for the best-supported unit of the first kind."""
    provenance: dict[str, object] = field(default_factory=dict)

    @property
    def neurons(self) -> NeuronAudit:
        """The audit of the MLP neurons."""
        return self.parts["neurons"]

    @property
    def heads(self) -> NeuronAudit:
        """The audit of the heads' attention."""
        return self.parts["heads"]
