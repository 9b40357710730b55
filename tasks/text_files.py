"""Text files of users: UTF-8 with or without a byte-order mark, lines that end at line feeds only.

`str.splitlines` also splits at U+2028, U+0085, form feeds and the like, which may stand inside a
prompt.
"""

import io
from pathlib import Path


def read_text(path: str | Path) -> str:
    """The text of a file, without a byte-order mark.

    Raises
    ------
    ValueError
        Not UTF-8, or with zero bytes; names the place.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = error.object[: error.start].count(b"\n") + 1, error.object[error.start]
        raise ValueError(
            f"{path}: line {line} is not UTF-8 (byte 0x{byte:02x} at offset {error.start}); "
            "save the file as UTF-8"
        ) from None
    if "\0" in text:
        raise ValueError(f"{path}: contains zero bytes, so it is not a text file; save it as UTF-8")
    return text


def lines_of(text: str) -> list[str]:
    r"""Lines with their ends, split at \n, \r\n and \r and at nothing else.

    >>> lines_of("a\u2028b\nc")
    ['a\u2028b\n', 'c']
    """
    return list(io.StringIO(text, newline=""))
