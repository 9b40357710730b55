"""`circuitvar identify`: how many explanations fit equally well?"""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import Device, MethodKey, Out, Quiet, Seed


def identify(
    gates: Annotated[
        list[str] | None,
        typer.Argument(
            help="Boolean gates one small MLP learns, an output each: xor, and, or, imp, nand, "
            "..., or truth tables as digits (0110)."
        ),
    ] = None,
    width: Annotated[
        list[int] | None, typer.Option("--width", help="Hidden width; repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Nets trained per width.")] = 100,
    depth: Annotated[int, typer.Option("--depth", help="Hidden layers of the MLP.")] = 2,
    noise: Annotated[
        float, typer.Option("--noise", help="Standard deviation of noise on training inputs.")
    ] = 0.0,
    loss_target: Annotated[
        float, typer.Option("--loss-target", help="Training loss at which an MLP has learnt.")
    ] = 1e-2,
    criterion: Annotated[
        str | None,
        typer.Option(
            "--criterion",
            help="When a circuit of an MLP is valid: label (default), threshold, delta (within "
            "--delta of the net on every input) or iia (label, and the net's answer under every "
            "interchange intervention).",
        ),
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option("--delta", help="With --criterion delta: allowed distance from the net."),
    ] = None,
    ablation: Annotated[
        list[str] | None,
        typer.Option(
            "--ablation",
            help="What a removed edge of an MLP carries: zero, mean or interchange; repeatable. "
            "All three if omitted (zero and mean with --criterion iia).",
        ),
    ] = None,
    estimator: Annotated[
        str | None,
        typer.Option(
            "--estimator",
            help="How circuits of an MLP are counted: auto (default: exact, or monte-carlo where "
            "there are too many), exact, monte-carlo, splitting or strata.",
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option("--draws", help="Circuits drawn by an estimator; 400000 if omitted."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Ask about a transformer instead of a gate: name or folder."),
    ] = None,
    task: Annotated[str, typer.Option("--task", help="Task of the transformer.")] = "ioi",
    seed_model: Annotated[
        list[str] | None,
        typer.Option(
            "--seed-model",
            "--seed-models",
            help="The same architecture trained from another seed, a source of re-runs; "
            "repeatable, and takes a list with commas.",
        ),
    ] = None,
    method: MethodKey = "eap-ig-inputs",
    n: Annotated[
        int, typer.Option("--n", help="Prompts a transformer's circuit is found on.")
    ] = 200,
    heldout: Annotated[
        int, typer.Option("--heldout", help="Fresh prompts behaviour is measured on.")
    ] = 64,
    batches: Annotated[
        int, typer.Option("--batches", help="Independent sets of prompts the method is re-run on.")
    ] = 5,
    m: Annotated[
        int, typer.Option("--m", help="Edges nearest the cut whose masks are searched.")
    ] = 12,
    epsilon: Annotated[
        float, typer.Option("--epsilon", help="Allowed difference in faithfulness.")
    ] = 0.02,
    size: Annotated[
        int | None, typer.Option("--size", help="Edges of the circuit; a tenth if omitted.")
    ] = None,
    paper_tables: Annotated[
        bool,
        typer.Option("--paper-tables", help="Repeat all experiments of arXiv 2502.20914; resumes."),
    ] = False,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            help="With --paper-tables: basic, width, tasks, gate, noise or loss only; repeatable.",
        ),
    ] = None,
    out: Out = Path("runs/identify"),
    device: Device = "cpu",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Count circuits and interpretations that fit equally well: exactly for small MLPs, bounded
    for transformers. Finished nets are kept and not counted again.

    Method noise (overlap of circuits found over prompts, batches and seeds) and true degeneracy
    (overlap of equally valid circuits) are two numbers of the result.
    """
    from circuitvar.reports.console import print_table, show_progress
    from circuitvar.reports.page import check_writable

    chosen = [bool(gates), model is not None, paper_tables]
    if sum(chosen) != 1:
        raise ValueError(
            "give exactly one of: gates (e.g. xor), --model with --task, or --paper-tables"
        )
    if seed_model and model is None:
        raise ValueError("--seed-model needs --model: it names other trainings of a transformer")
    if table and not paper_tables:
        raise ValueError("--table needs --paper-tables: it names one of the paper's tables")
    if not gates:
        for name, value in (
            ("--criterion", criterion),
            ("--delta", delta),
            ("--ablation", ablation or None),
            ("--estimator", estimator),
            ("--draws", draws),
        ):
            if value is not None:
                raise ValueError(f"{name} needs gates (e.g. xor): it is about circuits of an MLP")
    check_writable(out)
    with show_progress(quiet=quiet) as progress:
        if model is not None:
            from circuitvar.circuits.loading import load_model
            from circuitvar.reports.identify import ModelOptions, run_identify_model

            loaded = load_model(model, device=device)
            options = ModelOptions(
                method=method,
                n=n,
                heldout=heldout,
                batches=batches,
                m=m,
                epsilon=epsilon,
                size=size,
                seed=seed,
            )
            others = [part for name in seed_model or () for part in name.split(",") if part]
            shown = run_identify_model(
                loaded, task, out=out, options=options, seed_models=others, progress=progress
            ).summary
        else:
            from circuitvar.reports.identify import (
                experiments_called,
                run_identify,
                run_paper_tables,
            )

            if paper_tables:
                tables = run_paper_tables(
                    out,
                    seeds=range(seeds),
                    experiments=experiments_called(table or ()),
                    seed=seed,
                    progress=progress,
                )
                shown = next(iter(tables.values()))
            else:
                from circuitvar.audit.identifiability.nets import Recipe
                from circuitvar.reports.identify import net_options

                frames = run_identify(
                    gates or (),
                    options=net_options(
                        criterion=criterion,
                        delta=delta,
                        ablations=ablation or (),
                        estimator=estimator,
                        draws=draws,
                    ),
                    recipe=Recipe(depth=depth, noise=noise, loss_target=loss_target),
                    widths=tuple(width or (3,)),
                    seeds=range(seeds),
                    out=out,
                    seed=seed,
                    progress=progress,
                )
                shown = frames["summary"]
    if not quiet:
        from circuitvar.reports.page import read_section

        shown = shown.drop(columns=["mean_low", "mean_high", "sd"], errors="ignore")
        print_table(
            shown.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value),
            title=f"Identifiability: {' '.join(gates or ()) or model or 'paper tables'}",
        )
        print("\n".join(read_section(out).summary))
        print(f"written to {out}")
