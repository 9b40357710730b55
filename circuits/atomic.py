"""Files that appear whole or not at all: written under another name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """A file to write that becomes `path` at the end of the block, and is gone after an error.

    The temporary name is of this call alone, so two processes may write the same file. `sync`:
    the content is on the disk before the name is.
    """
    temporary = path.with_name(f".{path.name}-{token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
