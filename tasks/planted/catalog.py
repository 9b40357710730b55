"""The planted models, by key, and their tasks."""

from circuitvar.tasks.lookup import by_key
from circuitvar.tasks.planted.gated import GATED
from circuitvar.tasks.planted.induction import INDUCTION
from circuitvar.tasks.planted.integer import INTEGER
from circuitvar.tasks.planted.noise import NOISE
from circuitvar.tasks.planted.two_route import TWO_ROUTE
from circuitvar.tasks.planted.types import Planted
from circuitvar.tasks.types import Task

PLANTED: tuple[Planted, ...] = (INDUCTION, TWO_ROUTE, GATED, NOISE, INTEGER)
PLANTED_TASKS: tuple[Task, ...] = tuple(planted.task for planted in PLANTED)


def get_planted(key: str) -> Planted:
    """The planted model called `key`, with or without `planted:` in front.

    >>> get_planted("planted:two-route").title
    'Two redundant routes'

    Raises
    ------
    ValueError
        No planted model has this key.
    """
    return by_key("planted model", key.removeprefix("planted:"), PLANTED)
