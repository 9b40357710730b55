"""A user's own task, written in Python and named as `module:attribute`.

The attribute is a `Task` record, or a function without arguments that returns one. Importing the
module runs the user's code: only do so for code you trust.
"""

import importlib
import sys
from pathlib import Path

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
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"cannot load task {name!r}: write it as module:attribute")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"cannot load task {name!r}: no module named {error.name!r}; "
            "run from its folder or install it"
        ) from None
    finally:
        if added:
            sys.path.remove(here)
    if not hasattr(module, attribute):
        tasks = [key for key, value in vars(module).items() if isinstance(value, Task)]
        raise ValueError(
            f"cannot load task {name!r}: module {module_name!r} has no {attribute!r}; "
            f"tasks in it: {', '.join(tasks) or 'none'}"
        )
    found = getattr(module, attribute)
    task = found() if callable(found) else found
    if not isinstance(task, Task):
        raise ValueError(
            f"cannot load task {name!r}: it is a {type(task).__name__}, not a circuitvar Task"
        )
    return task
