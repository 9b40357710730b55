"""One self-contained HTML page per audit: no network, no external file, values escaped.

The page carries a content security policy that allows only its own script (by hash), so that even
a value that slipped through escaping could not run or load anything.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitvar.audit.types import Audit
from circuitvar.reports import tables
from circuitvar.reports.card import TIME_FIELDS, make_card, plain
from circuitvar.reports.figures import FigureRecord, inline_svg, make_figures
from circuitvar.reports.page.data import page_data, script_json
from circuitvar.reports.page.headline import headline_sentences, verdicts_by_claim
from circuitvar.reports.page.marks import page_marks
from circuitvar.reports.page.methods_text import bibtex, methods_paragraph
from circuitvar.reports.page.tables import further_tables

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).with_name("templates")
SCRIPTS = ("page.js", "figures.js")
"""One script on the page, in this order."""

TILES = ("faithfulness", "circuit error", "rank correlation with exact")
"""Estimates shown at the top, where the audit has them; others fill up."""


def report_page(
    audit: Audit,
    *,
    card: Mapping[str, Any] | None = None,
    figures: "Sequence[tuple[FigureRecord, Figure]] | None" = None,
) -> str:
    """The page as HTML text.

    `figures` and `card` may be passed when they were made already (`write_report` does).
    """
    card = make_card(audit) if card is None else card
    figures = make_figures(audit) if figures is None else figures
    script = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    drawn = [
        (record, _markup(inline_svg(figure, key=record.key, title=record.title)))
        for record, figure in figures
    ]
    methods, cited = methods_paragraph(audit)
    times = {key: value for key, value in card["time"].items() if key in TIME_FIELDS}
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            audit=audit,
            labels=tables.labels_of(audit.provenance),
            headline=headline_sentences(audit),
            claims=verdicts_by_claim(audit),
            tiles=headline_tiles(audit),
            stability_heads=[column.title for column in tables.STABILITY_COLUMNS],
            stability_kinds=[column.kind for column in tables.STABILITY_COLUMNS],
            stability_rows=tables.cells(tables.stability_frame(audit), tables.STABILITY_COLUMNS),
            stability_caption=tables.stability_caption(audit),
            estimates=[(e, tables.show_estimate(e)) for e in audit.estimates],
            figures=drawn,
            sections=further_tables(audit),
            methods=methods,
            bibtex=bibtex(cited),
            facts=facts(card["provenance"] | times),
            checksum=card["checksum"],
            style=_markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
            script=_markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data=_markup(script_json(page_data(audit.edges) if len(audit.edges) else None)),
            marks=_markup(script_json(page_marks(audit, figures))),
            n_edges=len(audit.edges),
        )
    )


def environment() -> "Environment":
    """Templates of the page: every value escaped, no value missing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _markup(text: str):
    """Text that is HTML already: our own files, figures and escaped JSON; never a user's value."""
    from markupsafe import Markup

    return Markup(text)


def headline_tiles(audit: Audit) -> list[tuple[str, str, str]]:
    """(label, number, small print) of the handful of numbers at the top."""
    tiles = []
    if audit.axes:
        axis = audit.axes[0]
        tiles.append(("φ", tables.show(axis.phi.value, axis.phi.se), axis.title))
        chance = f"random circuits: {tables.show(axis.chance)}"
        tiles.append(("mean Jaccard", tables.show(axis.jaccard.value, axis.jaccard.se), chance))
    by_name = {estimate.name: estimate for estimate in audit.estimates}
    names = dict.fromkeys([*(name for name in TILES if name in by_name), *by_name])
    for estimate in [by_name[name] for name in names][:3]:
        interval = tables.show_estimate(estimate).partition(" ")[2]
        tiles.append((estimate.name, tables.show(estimate.value, estimate.se), interval))
    if "class" in audit.edges:
        counts = {str(k): int(n) for k, n in audit.edges["class"].value_counts().items()}
        small = f"{counts.get('contingent', 0)} contingent of {len(audit.edges)} possible"
        tiles.append(("core edges", str(counts.get("core", 0)), small))
    return tiles


def facts(provenance: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A provenance as flat (name, text) rows, nested names joined by dots.

    >>> facts({"versions": {"numpy": "2.4"}, "seed": 0})
    [('seed', '0'), ('versions.numpy', '2.4')]
    """
    rows = []
    for key in sorted(provenance):
        value = provenance[key]
        if isinstance(value, Mapping):
            rows += facts(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            flat = {str(i): item for i, item in enumerate(value)}
            nested = any(isinstance(item, (Mapping, list)) for item in value)
            text = ", ".join(str(plain(item)) for item in value)
            rows += facts(flat, f"{prefix}{key}.") if nested else [(prefix + key, text)]
        else:
            rows.append((prefix + key, "–" if value is None else str(value)))
    return rows
