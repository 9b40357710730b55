"""Where the shipped pocket checkpoints are."""

from pathlib import Path

SEEDS = (0, 1, 2, 3, 4)


def pocket_path(seed: int = 0) -> Path:
    """Folder of the pocket model trained with `seed`.

    >>> pocket_path(3).name
    'seed3'

    Raises
    ------
    ValueError
        No checkpoint with this seed is shipped.
    """
    if seed not in SEEDS:
        allowed = ", ".join(str(s) for s in SEEDS)
        raise ValueError(f"no pocket model with training seed {seed!r}: choose one of {allowed}")
    return Path(__file__).resolve().parent / f"seed{seed}"
