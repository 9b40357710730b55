"""Word lists that several tasks share, from `words.toml`, which says where they come from."""

import tomllib
from pathlib import Path

_LISTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
MALE_NAMES, FEMALE_NAMES, PLACES, OBJECTS, NOUNS = (
    tuple(_LISTS[name]) for name in ("male_names", "female_names", "places", "objects", "nouns")
)
"""Nouns are queried by the induction task, and `random-token` puts them in place of a word."""
NAMES = tuple(
    name
    for i, (man, woman) in enumerate(zip(MALE_NAMES, FEMALE_NAMES, strict=True))
    for name in ((man, woman) if i % 2 == 0 else (woman, man))
)
"""Ordered so that every other name is a man in exactly half of the cases."""
