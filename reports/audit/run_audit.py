"""From names on a command line to a folder with a report: load, audit, write, summarise."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from circuitvar.audit.runs import require_fresh
from circuitvar.audit.settings import Settings
from circuitvar.audit.single import audit_circuit
from circuitvar.audit.types import Audit
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.drawing import draw_circuit
from circuitvar.circuits.items import RUNS
from circuitvar.circuits.loading import load_model
from circuitvar.circuits.scores import write_scores
from circuitvar.reports.audit.provenance import provenance
from circuitvar.reports.audit.summary import print_summary
from circuitvar.reports.card import update_manifest
from circuitvar.reports.console import show_progress
from circuitvar.reports.page import check_writable, write_report
from circuitvar.reports.verify import SCORES
from circuitvar.tasks.types import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_audit(
    task: Task,
    settings: Settings,
    *,
    model: str = "pocket",
    seed_models: tuple[str, ...] = (),
    out: Path,
    revision: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    bars: Bars | None = None,
    allow_weak: bool = False,
    quiet: bool = False,
) -> Audit:
    """Audit one circuit and write its report into `out`.

    Raises
    ------
    ValueError
        A name or number a user can mend; nothing is written then.
    """
    check_writable(out)
    require_fresh(task, settings)
    started = time.perf_counter()
    loaded, *others = (
        load_model(name, device=device, dtype=dtype, revision=at).keeping(out / RUNS)
        for name, at in ((model, revision), *((name, None) for name in seed_models))
    )
    with show_progress(quiet=quiet) as progress:
        result = audit_circuit(
            task,
            loaded,
            settings,
            seed_models=tuple(others),
            bars=bars,
            allow_weak=allow_weak,
            progress=progress,
            provenance=provenance(loaded, tuple(others)),
        )
        progress("writing the report", 0, 1)
        paths = write_report(
            result,
            out,
            circuit_figure=circuit_figure(result),
            seconds=time.perf_counter() - started,
        )
        if result.scores is not None:
            written = write_scores(result.scores, out / SCORES)
            update_manifest(out, written)
            paths += written
        progress("writing the report", 1, 1)
    if not quiet:
        print_summary(result, out, paths)
    return result


def circuit_figure(audit: Audit) -> "Figure | None":
    """The audited circuit, edges weighted by how often the first axis keeps them; None if empty."""
    kept = audit.edges["in_circuit"].to_numpy(dtype=bool)
    if audit.scores is None or not kept.any():
        return None
    return draw_circuit(
        audit.scores.graph, kept, weights=audit.axes[0].inclusion, weight_name="inclusion"
    )
