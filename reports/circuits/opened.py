"""A circuit that a command names, with its model and task: what its runs begin with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.circuits.drawing import draw_circuit
from circuitvar.circuits.model import Model
from circuitvar.reports.named import NamedCircuit, circuit_task, resolve_circuit, task_caution
from circuitvar.reports.options import CircuitChoice, ModelChoice
from circuitvar.reports.page import check_writable
from circuitvar.reports.tables import to_csv
from circuitvar.tasks.tokens import get_metric
from circuitvar.tasks.types import Batch, Metric, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Opened:
    """A circuit on its model, and what it is a circuit of."""

    model: Model
    found: NamedCircuit
    task: Task
    metric: Metric
    allow_weak: bool

    def cautions(self, batch: Batch) -> list[str]:
        """What the report must say first; a model that does not do the task is refused."""
        weak = self.allow_weak
        return task_caution(self.task, self.model, batch, self.metric, allow_weak=weak)


def open_circuit(
    name: str,
    where: ModelChoice,
    of: CircuitChoice,
    out: Path,
    *,
    size: int | None,
    metric: str | None = None,
) -> Opened:
    """Load the model, read the circuit and find its task; `out` must be writable."""
    check_writable(out)
    model = where.load(out)
    found = resolve_circuit(name, model, variant=of.variant, size=size)
    task = circuit_task(found, of.task, of.data, strict=of.strict)
    return Opened(model, found, task, get_metric(metric or task.metric), of.allow_weak)


def draw_named(found: NamedCircuit, scores: np.ndarray | None) -> "Figure":
    """The circuit, layered from below, its edges by their scores."""
    graph, kept, roles = found.circuit.graph, found.circuit.kept, found.roles
    return draw_circuit(graph, kept, weights=scores, weight_name="score", roles=roles)


def write_tables(tables: Mapping[str, pd.DataFrame], out: Path, prefix: str = "circuits_") -> None:
    """One CSV file per table."""
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        (out / f"{prefix}{name}.csv").write_text(to_csv(table), encoding="utf-8")
