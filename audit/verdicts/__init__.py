"""Bars, and what an interval says about them."""

from circuitvar.audit.verdicts.bars import Bars, changed_bars, is_no_compression
from circuitvar.audit.verdicts.judge import (
    UNTIE, agreement_verdict, function_verdict, judge, random_verdict, reading_verdict,
    source_verdict, stability_verdicts, structure_and_function, structure_verdict, tied_reason,
)

__all__ = [
    "Bars", "UNTIE", "agreement_verdict", "changed_bars", "function_verdict", "is_no_compression",
    "judge", "random_verdict", "reading_verdict", "source_verdict", "stability_verdicts",
    "structure_and_function", "structure_verdict", "tied_reason",
]
