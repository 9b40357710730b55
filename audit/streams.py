"""Named random streams: what one part draws cannot change what another part draws."""

import hashlib

import numpy as np
from jaxtyping import Int


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Generator for one named purpose, independent of every other name under the same seed.

    The name enters the entropy through sha256, so the stream does not depend on the order in
    which streams are asked for, on the number of workers, or on Python's salted `hash`.

    >>> a, b = stream(0, "bootstrap"), stream(0, "bootstrap")
    >>> bool((a.integers(100, size=3) == b.integers(100, size=3)).all())
    True
    """
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    words = np.frombuffer(digest, dtype=np.uint32)
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))


def resampled_prompts(seed: int, number: int, n: int) -> Int[np.ndarray, " example"]:
    """Rows of bootstrap resample `number` of `n` prompts; the same for every method and finder.

    >>> bool((resampled_prompts(0, 1, 9) == resampled_prompts(0, 1, 9)).all())
    True
    """
    return stream(seed, "resampled prompts", number).integers(n, size=n)
