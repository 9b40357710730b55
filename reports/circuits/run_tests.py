"""From a circuit's name to a folder with the tests it must pass."""

from pathlib import Path

import pandas as pd

from circuitvar.audit.streams import stream
from circuitvar.circuits.evaluate import run_circuit_tests
from circuitvar.reports.circuits.opened import open_circuit, write_tables
from circuitvar.reports.circuits.tests_section import (
    minimality_figure,
    tests_figure,
    write_tests_section,
)
from circuitvar.reports.figures import save_figure
from circuitvar.reports.named import discovery_and_heldout
from circuitvar.reports.options import CircuitChoice, CircuitTestOptions, ModelChoice


def run_tests(
    name: str,
    *,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: CircuitTestOptions = CircuitTestOptions(),
    out: Path,
) -> dict[str, pd.DataFrame]:
    """Test one circuit on held-out prompts; write `circuits_*.csv`, figures and a section.

    `circuits_tests.csv`: the five tests and TOST per null family, power on every row.
    `circuits_minimality.csv`: one row per edge.

    Raises
    ------
    ValueError
        A name or number a user can mend; nothing is written then.
    """
    opened = open_circuit(name, where, of, out, size=options.size, metric=options.metric)
    found = opened.found
    _, heldout = discovery_and_heldout(
        opened.task, opened.model, options.n, seed=options.seed, corruption=options.corruption
    )
    frames, edges = [], pd.DataFrame()
    for family in options.families:
        result = run_circuit_tests(
            opened.model,
            found.circuit,
            heldout,
            metric=opened.metric,
            rng=stream(options.seed, "circuit tests"),
            choice=options.choice(family),
        )
        frame = result.frame
        frame.insert(1, "null_family", family)
        # Only these two depend on the family; the others are the same numbers again.
        depends = frame["test"].isin(("sufficiency", "partial necessity"))
        frames.append(frame if not frames else frame[depends])
        edges = result.minimality
    tests = pd.concat(frames, ignore_index=True)
    tables = {"tests": tests, "minimality": edges.sort_values("share", kind="stable")}
    write_tables(tables, out)
    save_figure(tests_figure(tests, options.epsilon, options.quantile), out / "circuits_tests.svg")
    save_figure(
        minimality_figure(tables["minimality"], options.quantile), out / "circuits_minimality.svg"
    )
    write_tests_section(out, found.name, found.circuit.size, tables)
    return tables
