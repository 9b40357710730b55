"""The tasks that ship with the suite, by key."""

import difflib

from circuitvar.tasks.language.agreement import AGREEMENT
from circuitvar.tasks.language.arithmetic import ADDITION, SUBTRACTION
from circuitvar.tasks.language.capital import CAPITAL
from circuitvar.tasks.language.choices import COLOURED_OBJECTS, MULTIPLE_CHOICE
from circuitvar.tasks.language.docstring import DOCSTRING
from circuitvar.tasks.language.greater_than import GREATER_THAN
from circuitvar.tasks.language.induction import INDUCTION
from circuitvar.tasks.language.ioi import IOI
from circuitvar.tasks.language.pronoun import PRONOUN
from circuitvar.tasks.planted.catalog import PLANTED_TASKS
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
