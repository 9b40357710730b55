"""`circuitvar test CIRCUIT`: the statistical tests a claim must pass."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.make.evaluate import (
    CircuitModel,
    CircuitName,
    CircuitTask,
    FileSize,
    Variant,
)
from circuitvar.reports.commands.options import (
    AblationKey,
    CorruptionKey,
    DataFile,
    Device,
    Dtype,
    MetricKey,
    Out,
    Quiet,
    Revision,
    Seed,
)


def test(
    circuit: CircuitName,
    model: CircuitModel,
    task: CircuitTask = None,
    data: DataFile = None,
    variant: Variant = "",
    size: FileSize = None,
    n: Annotated[int, typer.Option("--n", help="Held-out prompts.")] = 200,
    null: Annotated[
        list[str] | None,
        typer.Option(
            "--null",
            help="Null family: connected (default), strata, edges or random-weights; repeatable.",
        ),
    ] = None,
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            help="Random knock-outs come from outside the circuit (`outside`) or from the whole "
            "`model`.",
        ),
    ] = "outside",
    draws: Annotated[int, typer.Option("--draws", help="Random circuits drawn.")] = 100,
    metric: MetricKey = None,
    corruption: CorruptionKey = None,
    ablation: AblationKey = "patching",
    epsilon: Annotated[
        float, typer.Option("--epsilon", help="Margin of equivalence around a win share of 1/2.")
    ] = 0.1,
    quantile: Annotated[
        float, typer.Option("--quantile", help="Share of random circuits or edges to beat.")
    ] = 0.9,
    level: Annotated[float, typer.Option("--level", help="Significance level.")] = 0.05,
    permutations: Annotated[
        int, typer.Option("--permutations", help="Permutations of the independence test.")
    ] = 1000,
    max_edges: Annotated[
        int, typer.Option("--max-edges", help="Edges tested for minimality at most.")
    ] = 200,
    out: Out = Path("runs/test"),
    seed: Seed = 0,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    revision: Revision = None,
    quiet: Quiet = False,
) -> None:
    """Equivalence and TOST, independence, minimality, sufficiency and partial necessity of one
    circuit; power next to every test that does not reject.
    """
    from circuitvar.reports.circuits import CircuitTestOptions, run_tests
    from circuitvar.reports.page import read_section

    run_tests(
        circuit,
        model=model,
        task=task,
        data=data,
        variant=variant,
        options=CircuitTestOptions(
            n=n,
            metric=metric,
            corruption=corruption,
            ablation=ablation,  # pyright: ignore[reportArgumentType] - checked by the options
            families=tuple(dict.fromkeys(null or ("connected",))),
            reference=reference,  # pyright: ignore[reportArgumentType]
            draws=draws,
            epsilon=epsilon,
            quantile=quantile,
            alpha=level,
            permutations=permutations,
            max_edges=max_edges,
            size=size,
            seed=seed,
        ),
        out=out,
        device=device,
        dtype=dtype,
        revision=revision,
    )
    if not quiet:
        print("\n".join(read_section(out).summary))
        print(f"written to {out}")
