"""The tasks that ship with the suite, by key."""

import difflib

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
    tasks = (*TASKS, *PLANTED_TASKS)
    for task in tasks:
        if task.key == key:
            return task
    known = [task.key for task in tasks]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"unknown task {key!r}: choose one of {', '.join(known)}{hint}")
