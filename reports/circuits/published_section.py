"""The section of a published circuit on a joined page: `section.json` beside its tables."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from circuitvar.reports.page import SectionFigure, SectionTable, write_section

TABLES = {
    "conditions": "What the circuit does under each condition",
    "tests": "Hypothesis tests",
    "rediscovery": "Would it be found again?",
    "roles": "Recall by role",
}


def write_published_section(
    out: Path, name: str, size: int, tables: Mapping[str, pd.DataFrame]
) -> Path:
    """`section.json` of kind `circuit`; `circuit.svg` and one CSV per table must be in `out`."""
    return write_section(
        out,
        kind="circuit",
        title=f"Published circuit: {name}",
        summary=published_sentences(name, size, tables),
        tables=[SectionTable(f"{key}.csv", TABLES.get(key, key)) for key in tables],
        figures=[SectionFigure("circuit.svg", name, "Edges by the score of the first method.")],
    )


def published_sentences(name: str, size: int, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """What was found, quoting the tables."""
    rows = tables["conditions"].to_dict("records")
    values = [(float(row["faithfulness"]), str(row["condition"])) for row in rows]
    own, lowest = values[0][0], min(values)
    found = [
        f"{name} ({size} edges) keeps {own:.3g} of the metric as published, and least under "
        f"{lowest[1]}: {lowest[0]:.3g}."
    ]
    found += [str(reading) for reading in tables["tests"]["reading"]]
    for row in tables["rediscovery"].to_dict("records"):
        found.append(
            f"{row['method']} finds {row['edges_shared']} of its {row['edges_a']} edges again "
            f"(Jaccard {row['edge_jaccard']:.3g}, chance {row['chance_jaccard']:.3g}; p = "
            f"{row['p_random']:.3g} against random edges, {row['p_stratified']:.3g} against edges "
            f"of the same layers and types; overlap coefficient {row['edge_coefficient']:.3g} of "
            f"edges, {row['node_coefficient']:.3g} of nodes)."
        )
        if "faithfulness_found" in row:
            found.append(
                f"With held-out names it keeps {row['faithfulness']:.3g} of the metric, the "
                f"{row['method']} circuit of its size {row['faithfulness_found']:.3g}."
            )
    return found
