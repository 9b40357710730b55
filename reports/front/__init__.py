"""The public API: what `import circuitvar as cv` gives.

Names are loaded when they are first used, so that `import circuitvar` costs nothing.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # The one list of where names are; `__getattr__` reads it too.
    from circuitvar.audit.agreement import halves_agreement
    from circuitvar.audit.design import read_design
    from circuitvar.audit.design import run_on_model as run_design
    from circuitvar.audit.settings import Settings
    from circuitvar.audit.runs import Design
    from circuitvar.audit.single import audit_circuit
    from circuitvar.audit.types import Audit, Axis, Estimate, Verdict
    from circuitvar.audit.verdicts import Bars
    from circuitvar.circuits.evaluate import evaluate
    from circuitvar.circuits.files import read_edges, write_edges
    from circuitvar.circuits.find import top_n
    from circuitvar.circuits.graph import Graph
    from circuitvar.circuits.loading import load_model
    from circuitvar.circuits.methods.catalog import get_method
    from circuitvar.circuits.model import Model
    from circuitvar.circuits.scores import read_scores, score_edges, write_scores
    from circuitvar.circuits.types import Circuit, EdgeScores, Faithfulness, Method, ScoreOptions
    from circuitvar.reports.card import read_card
    from circuitvar.reports.compare import check_method, compare_reports
    from circuitvar.reports.front import identify, methods, neurons, stats, testing
    from circuitvar.reports.page import write_report
    from circuitvar.reports.paper import paper_table
    from circuitvar.reports.verify import verify_report
    from circuitvar.tasks.catalog import get_task
    from circuitvar.tasks.own import read_pairs, task_from_file
    from circuitvar.tasks.tokens import get_metric, sample_batch, take, tokenize
    from circuitvar.tasks.types import Batch, Corruption, Metric, PromptPair, Task

__all__ = [
    # What is asked of the model
    "get_task", "task_from_file", "read_pairs", "Task", "PromptPair", "Corruption",
    "get_metric", "Metric", "sample_batch", "tokenize", "take", "Batch",
    # One estimate
    "load_model", "Model", "Graph", "get_method", "Method", "ScoreOptions", "score_edges",
    "EdgeScores", "read_scores", "write_scores", "top_n", "Circuit", "read_edges", "write_edges",
    "evaluate", "Faithfulness",
    # How stable it is
    "audit_circuit", "Settings", "Bars", "Audit", "Axis", "Estimate", "Verdict",
    "halves_agreement", "read_design", "Design", "run_design",
    # What the reader sees
    "write_report", "read_card", "verify_report", "compare_reports", "paper_table",
    "check_method",
    # Namespaces
    "stats", "neurons", "identify", "methods", "testing",
]


@cache
def _homes() -> dict[str, tuple[str, str]]:
    """Module and name there of each public name, from the imports at the top of this file."""
    import ast

    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    block = next(statement for statement in tree.body if isinstance(statement, ast.If))
    return {
        alias.asname or alias.name: (str(at.module), alias.name)
        for at in block.body
        if isinstance(at, ast.ImportFrom)
        for alias in at.names
    }


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"circuitvar has no public name {name!r}; dir(circuitvar) lists them")
    home, there = _homes()[name]
    if home == __name__:
        return import_module(f"{home}.{there}")
    return getattr(import_module(home), there)


def __dir__() -> list[str]:
    return sorted(__all__)
