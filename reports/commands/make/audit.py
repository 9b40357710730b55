"""`circuitvar audit TASK`: discover, perturb, evaluate, report."""

from dataclasses import replace
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
    context: typer.Context,
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
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", help="`quick`, `paper` or `full`: values of all options not given."
        ),
    ] = None,
    noise: Annotated[
        list[float] | None,
        typer.Option(
            "--noise",
            help="Gaussian noise on embeddings as another corruption: its size in embedding "
            "standard deviations; repeatable.",
        ),
    ] = None,
    noise_role: Annotated[
        list[str] | None,
        typer.Option("--noise-role", help="Role of the tokens that get noise; repeatable."),
    ] = None,
    other_corruption: Annotated[
        list[str] | None,
        typer.Option(
            "--other-corruption", help="Corruption to compare with, or `all`; repeatable."
        ),
    ] = None,
    other_ablation: Annotated[
        list[str] | None,
        typer.Option(
            "--other-ablation",
            help="Ablation to compare with, for every method defined for it; repeatable.",
        ),
    ] = None,
    seed_model: Annotated[
        list[str] | None,
        typer.Option(
            "--seed-model", help="The same architecture trained from another seed; repeatable."
        ),
    ] = None,
    bar: Annotated[
        list[str] | None,
        typer.Option(
            "--bar", help="A bar of the verdicts, e.g. `jaccard=0.7` or `phi=0.9`; repeatable."
        ),
    ] = None,
    confidence: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    seed: Seed = 0,
    revision: Revision = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    allow_weak: AllowWeak = False,
    quiet: Quiet = False,
) -> None:
    """Audit a circuit: find it, perturb everything that could have been otherwise, and report.

    With a preset, prompts that mark no roles get no noise sweep. Files of prompts get no fresh
    data sets.
    """
    from circuitvar.audit.settings import Settings
    from circuitvar.audit.settings import preset as preset_called
    from circuitvar.audit.single import marks_roles
    from circuitvar.audit.verdicts import changed_bars
    from circuitvar.reports.audit import run_audit
    from circuitvar.reports.named import resolve_task

    chosen = {
        "method": method,
        "metric": metric,
        "corruption": corruption,
        "ablation": ablation,
        "steps": steps,
        "n": n,
        "heldout": heldout,
        "size": size,
        "signed": signed,
        "bootstrap": bootstrap,
        "pairs": pairs,
        "exact": exact,
        "fresh": fresh,
        "confidence": confidence,
        "seed": seed,
    }
    given = {key: value for key, value in chosen.items() if _given(context, key)}
    for key, values in (
        ("noise", noise),
        ("noise_roles", noise_role),
        ("corruptions", other_corruption),
        ("ablations", other_ablation),
    ):
        if values:
            given[key] = tuple(values)
    settings = replace(preset_called(preset) if preset else Settings(), **given)
    resolved = resolve_task(task, data)
    if settings.noise and not noise and not marks_roles(resolved):
        settings = replace(settings, noise=())
    if resolved.distinct and "fresh" not in given:
        settings = replace(settings, fresh=0)
    run_audit(
        resolved,
        settings,
        model=model,
        seed_models=tuple(seed_model or ()),
        out=out,
        revision=revision,
        device=device,
        dtype=dtype,
        bars=changed_bars(bar or ()),
        allow_weak=allow_weak,
        quiet=quiet,
    )


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option was given, rather than left at its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")
