"""The tasks that ship with the suite, by key."""

from circuitvar.tasks.language import (
    ADDITION,
    AGREEMENT,
    CAPITAL,
    COLOURED_OBJECTS,
    DOCSTRING,
    GREATER_THAN,
    INDUCTION,
    IOI,
    MULTIPLE_CHOICE,
    PRONOUN,
    SUBTRACTION,
)
from circuitvar.tasks.lookup import by_key
from circuitvar.tasks.planted import PLANTED_TASKS
from circuitvar.tasks.types import Task

TASKS: tuple[Task, ...] = (
    IOI,
    GREATER_THAN,
    AGREEMENT,
    PRONOUN,
    INDUCTION,
    CAPITAL,
    DOCSTRING,
    ADDITION,
    SUBTRACTION,
    COLOURED_OBJECTS,
    MULTIPLE_CHOICE,
)


def get_task(key: str) -> Task:
    """The shipped task called `key`; tasks of planted models are found too.

    >>> get_task("ioi").title
    'Indirect object identification'

    Raises
    ------
    ValueError
        No task has this key.
    """
    return by_key("task", key, (*TASKS, *PLANTED_TASKS))
