"""Put sections of other commands (neurons, identifiability, circuits) onto a run's page.

The folders are copied into the run as `joined/<kind>`, and the page shows exactly what is there:
joining again, in any order, gives the same bytes, and nothing else on the page changes. Figures
are embedded as images, in which no script runs; everything else is escaped text.
"""

import base64
import csv
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from circuitvar.circuits.atomic import replacing
from circuitvar.reports.card import Check, update_manifest
from circuitvar.reports.page.render import environment
from circuitvar.reports.page.section_file import NAME, Section, read_section
from circuitvar.reports.page.tables import MAX_ROWS, ShownTable

JOINED = "joined"
"""Folder of the joined sections inside a run folder."""
PAGE = "report.html"
MAX_BYTES = 8_000_000
"""Of the page."""
ORDER = {
    "design": "Perturbation design",
    "circuit": "Published circuit",
    "circuits": "Circuit evaluation",
    "circuit-tests": "Circuit tests",
    "neurons": "Neurons",
    "identifiability": "Identifiability",
}
"""Known kinds in the order of the page, and what the table of contents calls them."""
IMAGES = {".svg": "image/svg+xml", ".png": "image/png"}
"""What a figure may be; as an image, an SVG runs no script and loads nothing."""
_MARKS = {
    "nav": ("<!--joined contents-->", "<!--/joined contents-->"),
    "body": ("<!--joined sections-->", "<!--/joined sections-->"),
}


def join_sections(run: Path | str, folders: Sequence[Path | str]) -> Path:
    """Copy each folder's section into the run, replacing one of its kind, and show all on the page.

    Raises
    ------
    ValueError
        The run has no page of this version, a folder holds no section, two folders hold the same
        kind, or the page would become larger than 8 MB. The run is then as it was.
    """
    run, page = Path(run), _read_page(Path(run) / PAGE)
    found = [(Path(folder), read_section(folder)) for folder in folders]
    kinds = [section.kind for _, section in found]
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"two folders hold a section of one kind ({', '.join(kinds)}); join one")
    new = {section.kind: folder for folder, section in found}
    shown = {kind: folder for kind, folder in _joined_folders(run).items() if kind not in new}
    sections = [_shown(folder) for folder in _ordered({**shown, **new})]
    page = _with_sections(page, sections)
    if len(page.encode()) > MAX_BYTES:
        raise ValueError(
            f"{run / PAGE} would have {len(page.encode()) / 1e6:.1f} MB with these sections, more "
            f"than {MAX_BYTES / 1e6:.0f}; leave out large figures"
        )
    for folder, section in found:
        _copy(folder, section, run / JOINED)
    with replacing(run / PAGE) as file:
        file.write(page.encode())
    update_manifest(run, [run / PAGE, *joined_files(run)])
    return run / PAGE


def with_kept_sections(page: str, run: Path | str) -> str:
    """A new page of a run with the sections that were joined to the old one."""
    folders = _ordered(_joined_folders(Path(run)))
    return _with_sections(page, [_shown(folder) for folder in folders]) if folders else page


def check_joined(run: Path | str) -> None:
    """Refuse a joined section that cannot be read; says that removing its folder is enough."""
    for folder in _joined_folders(Path(run)).values():
        try:
            _shown(folder)
        except (ValueError, OSError) as error:
            raise ValueError(
                f"the joined section {folder} cannot be put on the new page: {error}; remove that "
                "folder or join it again"
            ) from None


def joined_checks(run: Path) -> list[Check]:
    """Joined sections on the page say what the folders say; nothing where none are shown."""
    if not (run / PAGE).is_file():
        return []
    try:
        page = _read_page(run / PAGE)
        shown = any(page.split(start)[1].split(end)[0] for start, end in _MARKS.values())
        if not shown:
            return []
        again = _with_sections(page, [_shown(f) for f in _ordered(_joined_folders(run))])
    except ValueError as error:
        return [Check("joined sections", str(error))]
    detail = "" if again == page else f"{PAGE} differs from the folders in {JOINED}; join again"
    return [Check("joined sections", detail)]


def _read_page(path: Path) -> str:
    try:
        page = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ValueError(
            f"{path.parent} is no report: cannot read {path}: {error.strerror}; pass a folder that "
            "`circuitvar audit` wrote"
        ) from error
    if any(page.count(mark) != 1 for marks in _MARKS.values() for mark in marks):
        raise ValueError(f"{path} has no place for sections; write it again with this version")
    return page


def joined_files(run: Path) -> list[Path]:
    """Every file of the sections that are joined to a report."""
    return [path for path in (run / JOINED).rglob("*") if path.is_file()]


def _joined_folders(run: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in (run / JOINED).glob(f"[a-z]*/{NAME}")}


def _ordered(folders: dict[str, Path]) -> list[Path]:
    """Known kinds first, in the order of the page; others by name."""
    kinds = dict.fromkeys([*ORDER, *sorted(folders)])
    return [folders[kind] for kind in kinds if kind in folders]


def _with_sections(page: str, sections: Sequence[dict[str, Any]]) -> str:
    """The page with these sections and no others."""
    template = environment().get_template("joined.html.j2")
    nav = environment().from_string(
        "{% for kind, title in links %}\n      "
        '<a href="#joined-{{ kind }}">{{ title }}</a>{% endfor %}'
    )
    kinds = [section["kind"] for section in sections]
    links = [(kind, ORDER.get(kind, kind.replace("-", " ").capitalize())) for kind in kinds]
    texts = {"nav": nav.render(links=links), "body": template.render(sections=sections)}
    for key, (start, end) in _MARKS.items():
        before, rest = page.split(start)
        page = before + start + texts[key] + end + rest.split(end)[1]
    return page


def _shown(folder: Path) -> dict[str, Any]:
    """A section as the page prints it: figures as data addresses, tables as text."""
    section = read_section(folder)
    figures = [{**vars(f), "source": _data_address(folder / f.file)} for f in section.figures]
    tables = [
        _shown_table(folder / table.file, table.title, f"{JOINED}/{section.kind}/{table.file}")
        for table in section.tables
    ]
    return {**vars(section), "figures": figures, "tables": tables}


def _data_address(path: Path) -> str:
    if path.suffix not in IMAGES:
        raise ValueError(f"{path} is no figure for a page; use {' or '.join(IMAGES)}")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{IMAGES[path.suffix]};base64,{data}"


def _shown_table(path: Path, title: str, file: str) -> ShownTable:
    """The first rows of a CSV file; numbers with four significant digits.

    A text that is the same in every row is said once, below the table.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    heads, body = (rows[0], rows[1:]) if rows else ([], [])
    if any(len(row) != len(heads) for row in body):
        raise ValueError(f"{path} has rows of different lengths; write it again")
    kept, said = [], []
    for at, head in enumerate(heads):
        column, name = [row[at] for row in body], head.replace("_", " ")
        is_number = bool(body) and all(_is_number(text) for text in column if text)
        if len(body) > 1 and not is_number and len(set(column)) == 1 and len(heads) > 1:
            said.append(f"{name.removeprefix('choice: ')}: {column[0]}")
        else:
            kept.append((name, "number" if is_number else "text", column[:MAX_ROWS]))
    shown = [
        [_rounded(column[i]) if kind == "number" else column[i] for _, kind, column in kept]
        for i in range(min(len(body), MAX_ROWS))
    ]
    notes = [f"Same in all rows: {'; '.join(said)}."] if said else []
    if len(body) > MAX_ROWS:
        notes.append(f"First {MAX_ROWS} of {len(body)} rows; all of them are in {file}.")
    names, kinds = [name for name, _, _ in kept], [kind for _, kind, _ in kept]
    return ShownTable(title, " ".join(notes), names, kinds, shown, len(body))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rounded(text: str) -> str:
    """Four significant digits; whole numbers and gaps as they are."""
    if not text:
        return "–"
    value = float(text)
    if math.isnan(value):
        return "–"
    return text if text.lstrip("-").isdigit() else f"{value:.4g}"


def _copy(folder: Path, section: Section, joined: Path) -> None:
    """The section's own files, and no others, as `joined/<kind>`."""
    joined.mkdir(exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{section.kind}-", dir=joined))
    try:
        for name in (NAME, *(t.file for t in section.tables), *(f.file for f in section.figures)):
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target)
        target = joined / section.kind
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
