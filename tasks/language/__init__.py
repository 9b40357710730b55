"""Tasks in words: one file each, their templates, corruptions and paraphrases."""

from circuitvar.tasks.language.agreement import AGREEMENT
from circuitvar.tasks.language.arithmetic import ADDITION, SUBTRACTION
from circuitvar.tasks.language.boolean import input_rows, truth_table
from circuitvar.tasks.language.capital import CAPITAL
from circuitvar.tasks.language.choices import COLOURED_OBJECTS, MULTIPLE_CHOICE
from circuitvar.tasks.language.corruptions import embedding_noise, noise_positions, with_noise
from circuitvar.tasks.language.docstring import DOCSTRING
from circuitvar.tasks.language.greater_than import GREATER_THAN, SUFFIXES, years_after
from circuitvar.tasks.language.induction import INDUCTION
from circuitvar.tasks.language.ioi import IOI
from circuitvar.tasks.language.pronoun import PRONOUN
from circuitvar.tasks.language.templates import (
    Sampler, Template, check_choice, families, filled, half, pick, render,
)
from circuitvar.tasks.language.texts import pocket_texts
from circuitvar.tasks.language.words import NOUNS

__all__ = [
    "ADDITION", "AGREEMENT", "CAPITAL", "COLOURED_OBJECTS", "DOCSTRING", "GREATER_THAN",
    "INDUCTION", "IOI", "MULTIPLE_CHOICE", "NOUNS", "PRONOUN", "SUBTRACTION", "SUFFIXES",
    "Sampler", "Template", "check_choice", "embedding_noise", "families", "filled", "half",
    "input_rows", "noise_positions", "pick", "pocket_texts", "render", "truth_table",
    "with_noise", "years_after",
]
