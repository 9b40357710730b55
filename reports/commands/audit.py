"""`circuitvar audit TASK`: discover, perturb, evaluate, report."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import (
    AblationKey,
    AllowWeak,
    CorruptionKey,
    DataFile,
    Device,
    Dtype,
    MethodKey,
    MetricKey,
    ModelName,
    Out,
    Quiet,
    Revision,
    Seed,
    Steps,
)


def audit(
    task: Annotated[
        str | None,
        typer.Argument(help="Task key (see `circuitvar tasks`) or your own `module:attribute`."),
    ] = None,
    model: ModelName = "pocket",
    method: MethodKey = "eap-ig-inputs",
    n: Annotated[int, typer.Option("--n", help="Prompts the circuit is discovered on.")] = 400,
    out: Out = Path("runs/audit"),
    data: DataFile = None,
    metric: MetricKey = None,
    corruption: CorruptionKey = None,
    ablation: AblationKey = "patching",
    steps: Steps = 5,
    size: Annotated[
        int | None, typer.Option("--size", help="Edges to keep; a tenth of the graph if omitted.")
    ] = None,
    signed: Annotated[
        bool, typer.Option("--signed", help="Rank by signed score instead of |score|.")
    ] = False,
    heldout: Annotated[
        int, typer.Option("--heldout", help="Fresh prompts the circuit is evaluated on.")
    ] = 200,
    exact: Annotated[
        int,
        typer.Option("--exact", help="Prompts on which all edges are patched exactly; 0: none."),
    ] = 48,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", help="Bootstrap replicates of the prompts.")
    ] = 200,
    pairs: Annotated[
        int, typer.Option("--pairs", help="Complementary-half pairs, per template and per prompt.")
    ] = 50,
    fresh: Annotated[
        int, typer.Option("--fresh", help="Independent data sets of the same size; 0: none.")
    ] = 5,
    seed_model: Annotated[
        list[str] | None,
        typer.Option(
            "--seed-model", help="The same architecture trained from another seed; repeatable."
        ),
    ] = None,
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    seed: Seed = 0,
    revision: Revision = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    allow_weak: AllowWeak = False,
    quiet: Quiet = False,
) -> None:
    """Audit a circuit: find it, perturb everything that could have been otherwise, and report."""
    from circuitvar.audit.settings import Settings
    from circuitvar.reports.run_audit import run_audit
    from circuitvar.reports.tasks_by_name import resolve_task

    settings = Settings(
        method=method,
        metric=metric,
        corruption=corruption,
        ablation=ablation,  # pyright: ignore[reportArgumentType] - Settings checks the value
        steps=steps,
        n=n,
        heldout=heldout,
        size=size,
        signed=signed,
        bootstrap=bootstrap,
        pairs=pairs,
        exact=exact,
        fresh=fresh,
        level=level,
        seed=seed,
    )
    run_audit(
        resolve_task(task, data),
        settings,
        model=model,
        seed_models=tuple(seed_model or ()),
        out=out,
        revision=revision,
        device=device,
        dtype=dtype,
        allow_weak=allow_weak,
        quiet=quiet,
    )
