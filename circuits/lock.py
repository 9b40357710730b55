"""One command at a time in a folder: a file that names its owner, gone with it."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

LOCK = ".in-use"


@contextmanager
def in_use(folder: Path, plan: str) -> Iterator[None]:
    """Hold a folder while a command writes to it; `plan` says in words what for.

    The lock of a process of this machine that is gone is taken over.

    Raises
    ------
    ValueError
        Another process holds it: says which, since when and what it does.
    """
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "plan": plan}
    while not _taken(path, owner):
        held = _owner(path)
        if held is None or _is_gone(held):
            path.unlink(missing_ok=True)
            continue
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(held["since"]))
        same = "the same plan" if held["plan"] == plan else f"another plan ({held['plan']})"
        raise ValueError(
            f"{folder} is in use by process {held['pid']} on {held['host']} since {since}, with "
            f"{same}; wait for it or write to another folder, and if that process is gone, delete "
            f"{path}"
        )
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # Of a command that wrote nothing, no folder is left.
            for one in new:
                one.rmdir()


def _taken(path: Path, owner: dict[str, object]) -> bool:
    """Whether the lock is ours now; it appears with its content or not at all."""
    own = path.with_name(f"{path.name}-{token_hex(8)}")
    own.write_text(json.dumps(owner), encoding="utf-8")
    try:
        os.link(own, path)
    except FileExistsError:
        return False
    finally:
        own.unlink()
    return True


def _owner(path: Path) -> dict | None:
    """Who holds the lock; None where it is gone or holds nothing that can be read."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    known = isinstance(held, dict) and {"pid", "host", "since", "plan"} <= held.keys()
    return held if known else None


def _is_gone(held: dict) -> bool:
    if held["host"] != socket.gethostname() or os.name == "nt":  # There signal 0 is Ctrl-C.
        return False
    try:
        os.kill(int(held["pid"]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
