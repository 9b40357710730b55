"""The stability card: the JSON document of a report."""

from circuitvar.reports.card.cautions import cautions, null_sentence
from circuitvar.reports.card.document import (
    TIME_FIELDS, axis_entry, card_text, check_schema, class_counts, edges_entry, estimate_entry,
    kept_by, make_card, plain, random_entry, read_card, sealed, verdict_entry,
)
from circuitvar.reports.card.manifest import (
    MANIFEST, foreign_files, read_manifest, update_manifest, write_manifest,
)
from circuitvar.reports.card.numbers import Check, TOLERANCE, read_estimate, same
from circuitvar.reports.card.run_folder import Run, read_run
from circuitvar.reports.card.texts import badge_svg, card_markdown, overall_outcome

__all__ = [
    "Check", "MANIFEST", "Run", "TIME_FIELDS", "TOLERANCE", "axis_entry", "badge_svg",
    "card_markdown", "card_text", "cautions", "check_schema", "class_counts", "edges_entry",
    "estimate_entry", "foreign_files", "kept_by", "make_card", "null_sentence", "overall_outcome",
    "plain", "random_entry", "read_card", "read_estimate", "read_manifest", "read_run", "same",
    "sealed", "update_manifest", "verdict_entry", "write_manifest",
]
