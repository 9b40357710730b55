"""`section.json`: what one command hands to the joined report page.

A command that does not audit scores (identify, neurons) writes its tables and figures in its
output folder and lists them here with a few plain sentences; the page that joins folders needs to
know nothing else about the command.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from circuitvar.circuits.atomic import replacing

FORMAT = 1
NAME = "section.json"


@dataclass(frozen=True)
class SectionTable:
    """A CSV table of the section."""

    file: str
    """Path inside the folder, with forward slashes."""
    title: str


@dataclass(frozen=True)
class SectionFigure:
    """A figure of the section."""

    file: str
    """Path inside the folder, with forward slashes."""
    title: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One section of a joined page."""

    kind: str
    """Which command wrote it, e.g. `identifiability` or `neurons`; a page anchor."""
    title: str
    summary: tuple[str, ...]
    """Plain sentences, most important first."""
    tables: tuple[SectionTable, ...]
    figures: tuple[SectionFigure, ...]
    folder: Path
    """Where the files are."""


Listed = TypeVar("Listed", SectionTable, SectionFigure)


def write_section(
    folder: Path | str,
    *,
    kind: str,
    title: str,
    summary: Sequence[str],
    tables: Sequence[SectionTable] = (),
    figures: Sequence[SectionFigure] = (),
) -> Path:
    """Write `section.json` into `folder` and return its path; the listed files must be there.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> path = write_section(folder, kind="neurons", title="Neurons", summary=["None is stable."])
    >>> read_section(folder).summary
    ('None is stable.',)

    Raises
    ------
    ValueError
        A kind that is no plain word, an empty title or sentence, or a listed file that is missing
        or outside the folder.
    """
    folder = Path(folder)
    section = Section(kind, title, tuple(summary), tuple(tables), tuple(figures), folder)
    _check(section, folder / NAME)
    record = {"format": FORMAT, "title": title, "kind": kind, **asdict(section)}
    del record["folder"]
    with replacing(folder / NAME) as file:
        file.write((json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    return folder / NAME


def read_section(folder: Path | str) -> Section:
    """The section a folder holds.

    Raises
    ------
    ValueError
        No `section.json`, one that cannot be read, another format, or missing files.
    """
    folder = Path(folder)
    path = folder / NAME
    if not path.is_file():
        raise ValueError(
            f"{folder} holds no {NAME}; give a folder written by `circuitvar evaluate`, `test`, "
            "`published`, `design`, `neurons` or `identify`"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no readable JSON ({error}); run the command again") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise ValueError(f"{path} has format {found!r}, this version reads {FORMAT}")
    section = Section(
        _under(record, "kind", str, path),
        _under(record, "title", str, path),
        tuple(_under(record, "summary", list, path)),
        tuple(_entry(SectionTable, row, path) for row in _under(record, "tables", list, path)),
        tuple(_entry(SectionFigure, row, path) for row in _under(record, "figures", list, path)),
        folder,
    )
    _check(section, path)
    return section


def _under(record: dict, key: str, kind: type, path: Path) -> Any:
    if not isinstance(record.get(key), kind):
        what = "text" if kind is str else "a list"
        raise ValueError(f"{path} needs {what} under {key!r}; got {record.get(key)!r}")
    return record[key]


def _entry(kind: type[Listed], row: object, path: Path) -> Listed:
    wanted = [f.name for f in fields(kind)]
    if not isinstance(row, dict) or sorted(row) != sorted(wanted):
        raise ValueError(f"{path} lists {row!r}; an entry has exactly {', '.join(wanted)}")
    return kind(**{key: _under(row, key, str, path) for key in wanted})


def _check(section: Section, path: Path) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9-]*", section.kind):
        raise ValueError(f"kind {section.kind!r} of {path} must be lower-case letters and hyphens")
    for sentence in (section.title, *section.summary):
        if not isinstance(sentence, str) or not sentence.strip():
            raise ValueError(
                f"title and summary of {path} must be sentences of text; got {sentence!r}"
            )
    for listed in (*section.tables, *section.figures):
        inside = PurePosixPath(listed.file)
        if inside.is_absolute() or ".." in inside.parts or "\\" in listed.file:
            raise ValueError(f"{path} lists {listed.file!r}; give a path inside the folder")
        if not (section.folder / inside).is_file():
            raise ValueError(f"{path} lists {listed.file!r}, which is not in {section.folder}")
