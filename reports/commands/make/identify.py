"""`circuitvar identify`: how many explanations fit equally well?"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvar.circuits.option import COMMON, Option, options_of
from circuitvar.reports.commands.from_record import NOTHING, Given, Only
from circuitvar.reports.options import (
    POCKET,
    ModelChoice,
    ModelOptions,
    NetJudgement,
    NetTraining,
    Output,
    SeedModels,
    split_names,
)

if TYPE_CHECKING:
    import pandas as pd

    from circuitvar.reports.console import Progress

IDENTIFY = Output(Path("runs/identify"))


def identify(
    gates: Annotated[
        list[str] | None,
        typer.Argument(
            help="Boolean gates one small MLP learns, an output each: xor, and, or, imp, nand, "
            "..., or truth tables as digits (0110)."
        ),
    ] = None,
    model: Annotated[
        str | None,
        Option("Ask about a transformer instead of a gate: name or folder.", COMMON, keys="model"),
    ] = None,
    task: Annotated[str, Option("Task of the transformer.", COMMON, keys="task")] = "ioi",
    training: NetTraining = NetTraining(),
    judged: NetJudgement = NetJudgement(),
    options: ModelOptions = ModelOptions(),
    seed_models: SeedModels = (),
    paper_tables: Annotated[
        bool, Option("Repeat all experiments of arXiv 2502.20914; resumes.", COMMON)
    ] = False,
    tables: Annotated[
        tuple[str, ...],
        Option(
            "With --paper-tables: basic, width, tasks, gate, noise or loss only; repeatable.",
            flags=("--table",),
        ),
    ] = (),
    where: Annotated[ModelChoice, Only("device")] = POCKET,
    to: Output = IDENTIFY,
    given: Given = NOTHING,
) -> None:
    """Count circuits and interpretations that fit equally well: exactly for small MLPs, bounded
    for transformers. Finished nets are kept and not counted again.

    Method noise (overlap of circuits found over prompts, batches and seeds) and true degeneracy
    (overlap of equally valid circuits) are two numbers of the result.
    """
    from circuitvar.reports.console import print_table, show_progress
    from circuitvar.reports.page import check_writable, read_section

    if [bool(gates), model is not None, paper_tables].count(True) != 1:
        raise ValueError(
            "give exactly one of: gates (e.g. xor), --model with --task, or --paper-tables"
        )
    if tables and not paper_tables:
        raise ValueError("--table needs --paper-tables: it names one of the paper's tables")
    _refuse_what_is_about_others(given, nets=bool(gates), model=model is not None)
    check_writable(to.out)
    with show_progress(quiet=to.quiet) as progress:
        if model is not None:
            from circuitvar.circuits.items import RUNS
            from circuitvar.circuits.loading import load_model
            from circuitvar.reports.identify import run_identify_model

            shown = run_identify_model(
                load_model(model, device=where.device).keeping(to.out / RUNS),
                task,
                out=to.out,
                options=options,
                seed_models=split_names(seed_models),
                progress=progress,
            ).summary
        elif paper_tables:
            from circuitvar.reports.identify import experiments_called, run_paper_tables

            found = run_paper_tables(
                to.out,
                seeds=range(training.seeds),
                experiments=experiments_called(tables),
                seed=options.seed,
                progress=progress,
            )
            shown = next(iter(found.values()))
        else:
            shown = _count_nets(gates or [], training, judged, to.out, options.seed, progress)
    if to.quiet:
        return
    shown = shown.drop(columns=["mean_low", "mean_high", "sd"], errors="ignore")
    title = f"Identifiability: {' '.join(gates or ()) or model or 'paper tables'}"
    print_table(shown, title=title)
    print("\n".join(read_section(to.out).summary))
    print(f"written to {to.out}")


def _refuse_what_is_about_others(given: Given, *, nets: bool, model: bool) -> None:
    """MLPs and transformers have options of their own; the seed and the output are shared."""
    of_nets = options_of(NetTraining) | options_of(NetJudgement)
    of_models = {name: about.flags for name, about in options_of(ModelOptions).items()}
    of_models |= {"task": (), "device": (), "seed_models": ("--seed-model",)}
    del of_models["seed"]
    if not nets and not model:
        del of_nets["seeds"]  # The paper's tables take it too.
    for needed, flags_of, here in (
        ("gates (e.g. xor): it is about MLPs", {k: v.flags for k, v in of_nets.items()}, nets),
        ("--model: it is about a transformer", of_models, model),
    ):
        for name, flags in flags_of.items():
            if name in given and not here:
                raise ValueError(f"{[*flags, '--' + name.replace('_', '-')][0]} needs {needed}")


def _count_nets(
    gates: list[str],
    training: NetTraining,
    judged: NetJudgement,
    out: Path,
    seed: int,
    progress: "Progress",
) -> "pd.DataFrame":
    """The summary of nets that learn the gates."""
    from circuitvar.audit.identifiability.nets import Recipe
    from circuitvar.reports.identify import net_options, run_identify

    return run_identify(
        gates,
        widths=training.widths,
        seeds=range(training.seeds),
        out=out,
        recipe=Recipe(depth=training.depth, noise=training.noise, loss_target=training.loss_target),
        options=net_options(**asdict(judged)),
        seed=seed,
        progress=progress,
    )["summary"]
