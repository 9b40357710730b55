"""Bars: what counts as good enough. They are arguments, not facts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from circuitvar.tasks.lookup import unknown


@dataclass(frozen=True)
class Bars:
    """What counts as good enough. Change them, and every verdict says what it was held to."""

    jaccard: float = 0.8
    """Mean pairwise Jaccard proposed by Méloux et al. (arXiv 2510.00845), as preliminary."""
    resamples: int = 100
    """Resamples the same proposal asks for."""
    phi: float = 0.75
    """Lower end of `excellent` on the convention quoted by Nogueira et al. (2018)."""
    agreement: float = 0.8
    """Rank agreement of two methods."""
    beats_random: float = 0.9
    """Share of random circuits of the same size to beat (Shi et al., arXiv 2410.13032)."""
    faithfulness: float = 0.8
    """Share of the clean-corrupt gap that a circuit keeps on held-out prompts."""
    function: float = 0.9
    """Share of its own faithfulness that a circuit keeps on another data set."""
    wording: float = 0.1
    """phi that templates may lose against random groups of prompts of the same sizes."""
    compression: float = 0.5
    """A circuit that keeps at least this share of the edges is no compression."""


def changed_bars(texts: Sequence[str]) -> Bars:
    """The default bars with some changed, each `name=value`.

    >>> changed_bars(["jaccard=0.7", "resamples=200"]).jaccard
    0.7

    Raises
    ------
    ValueError
        A bar has another name, or a value that is no number it can be held to.
    """
    known, changes = {field.name: field.default for field in fields(Bars)}, {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in known:
            raise unknown("bar", name, known, also="; write name=value")
        whole = isinstance(known[name], int)
        try:
            number = int(value) if whole else float(value)
        except ValueError:
            number = -1
        if not 0 <= number <= (np.inf if whole else 1) or not np.isfinite(number):
            kind = "a whole number, 0 or more" if whole else "a number from 0 to 1"
            raise ValueError(f"bar {text!r}: {value!r} is not {kind}")
        changes[name] = number
    return Bars(**changes)


def is_no_compression(share: float, bars: Bars) -> bool:
    """Whether circuits that keep this share of the edges are too large to say anything."""
    return share >= bars.compression
