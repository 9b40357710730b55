"""A user's own task, written in Python and named as `module:attribute`.

The attribute is a `Task` record, or a function without arguments that returns one. Importing the
module runs the user's code: only do so for code you trust.
"""

from circuitvar.tasks.lookup import load_object
from circuitvar.tasks.types import Task


def load_task(name: str) -> Task:
    """The task `module:attribute`; modules in the working directory are found too.

    >>> load_task("circuitvar.tasks.language.ioi:IOI").key
    'ioi'

    Raises
    ------
    ValueError
        The name has another form, the module or attribute is missing, or it is no task.
    """
    found = load_object("task", name, Task)
    task = found() if callable(found) else found
    if not isinstance(task, Task):
        raise ValueError(
            f"cannot load task {name!r}: it is a {type(task).__name__}, not a circuitvar Task"
        )
    return task
