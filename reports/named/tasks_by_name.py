"""The task a command names: a key, a user's own, or a file of prompts."""

from pathlib import Path

from circuitvar.tasks.catalog import TASKS, get_task
from circuitvar.tasks.types import Task


def resolve_task(name: str | None, data: Path | None) -> Task:
    """The task a command names: a key, a user's `module:attribute`, or a file of prompts.

    Raises
    ------
    ValueError
        Neither or both of task and file were given, or the name is unknown.
    """
    if (name is None) == (data is None):
        raise ValueError(
            "give either a task or --data FILE"
            + (f"; tasks are {', '.join(t.key for t in TASKS)}" if name is None else ", not both")
        )
    if data is not None:
        from circuitvar.tasks.own import task_from_file

        return task_from_file(data)
    if ":" in str(name):
        from circuitvar.tasks.plugin import load_task

        return load_task(str(name))
    return get_task(str(name))
