"""From an audit to frames to text."""

from circuitvar.reports.tables.frames import (
    LABELS, edges_frame, estimates_frame, fact, inclusion_column, inclusion_frame, labels_of,
    ledger_frame, prompt_counts, require_columns, stability_frame, verdicts_frame,
)
from circuitvar.reports.tables.kept import kept_tables
from circuitvar.reports.tables.rounding import MISSING, show, show_estimate, show_interval
from circuitvar.reports.tables.stability import (
    STABILITY_COLUMNS, sentence_list, stability_caption, stability_latex, stability_markdown,
)
from circuitvar.reports.tables.text import (
    Column, cells, markdown_escape, pipe_table, to_csv, to_latex, to_markdown,
)

__all__ = [
    "Column", "LABELS", "MISSING", "STABILITY_COLUMNS", "cells", "edges_frame", "estimates_frame",
    "fact", "inclusion_column", "inclusion_frame", "kept_tables", "labels_of", "ledger_frame",
    "markdown_escape", "pipe_table", "prompt_counts", "require_columns", "sentence_list", "show",
    "show_estimate", "show_interval", "stability_caption", "stability_frame", "stability_latex",
    "stability_markdown", "to_csv", "to_latex", "to_markdown", "verdicts_frame",
]
