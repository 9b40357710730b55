"""Write a report folder: tables, figures, card and page, all or nothing.

Everything is first written to a temporary folder beside the target and moved in at the end, so an
interrupted or failed run leaves an older report as it was. Other files in the folder are kept, and
so are the sections that were joined to the page.
"""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from circuitvar.audit.types import Audit
from circuitvar.reports import tables
from circuitvar.reports.card import card_text, make_card, write_manifest
from circuitvar.reports.figures import FigureRecord, make_figures, save_figure
from circuitvar.reports.page.join import check_joined, joined_files, with_kept_sections

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_SUFFIXES = (".png", ".pdf")


def write_report(
    audit: Audit,
    out_dir: Path | str,
    *,
    circuit_figure: "Figure | None" = None,
    seconds: float | None = None,
) -> list[Path]:
    """Write the whole report of an audit and return the files, in a fixed order.

    `report.html`, `card.json`, `card.md`, `badge.svg`, `stability.csv/.tex/.md`, `edges.csv`,
    `estimates.csv`, `verdicts.csv`, `tables/<name>.csv`, `figures/<key>.png/.pdf`, and last
    `manifest.json` with the hash of each. The same audit writes the same bytes; times appear only
    in `card.json` under `time` and on the page.
    `seconds` is the wall time of the run so far; `circuit_figure` is saved as `figures/circuit`.

    Raises
    ------
    ValueError
        When the folder cannot be written.
    """
    out_dir = Path(out_dir)
    try:
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    except OSError as error:
        raise unwritable(out_dir, error) from error
    try:
        _write_all(audit, staging, circuit_figure, seconds)
        page = staging / "report.html"
        _write_text(page, with_kept_sections(page.read_text(encoding="utf-8"), out_dir))
        moved = _move_into(staging, out_dir)
        return [*moved, write_manifest(out_dir, [*moved, *joined_files(out_dir)])]
    except OSError as error:
        raise unwritable(out_dir, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_writable(out_dir: Path | str) -> None:
    """Find out before hours of work whether a report can be written; leaves nothing behind.

    Raises
    ------
    ValueError
        When the folder cannot be made or written, or holds a joined section that cannot be read.
    """
    out_dir = Path(out_dir)
    try:
        if out_dir.exists() and not out_dir.is_dir():
            raise NotADirectoryError(20, "it is a file, not a folder")
        nearest = next(path for path in (out_dir, *out_dir.absolute().parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=nearest):
            pass
    except OSError as error:
        raise unwritable(out_dir, error) from error
    check_joined(out_dir)


def unwritable(out_dir: Path, error: OSError) -> ValueError:
    """What to tell a user whose report cannot be written."""
    reason = error.strerror or str(error)
    return ValueError(
        f"cannot write the report to {out_dir}: {reason}; choose a folder you can write to (--out)"
    )


def _write_all(
    audit: Audit, folder: Path, circuit_figure: "Figure | None", seconds: float | None
) -> None:
    from circuitvar.reports.card import badge_svg, card_markdown
    from circuitvar.reports.page.render import report_page

    card = make_card(audit, seconds=seconds)
    drawn = make_figures(audit)
    _write_tables(audit, folder)
    _write_figures(drawn, folder / "figures", circuit_figure)
    texts = {
        "card.json": card_text(card),
        "card.md": card_markdown(card),
        "badge.svg": badge_svg(card),
        "stability.tex": tables.stability_latex(audit),
        "stability.md": tables.stability_markdown(audit),
        "report.html": report_page(audit, card=card, figures=drawn),
    }
    for name, text in texts.items():
        _write_text(folder / name, text)


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def _write_tables(audit: Audit, folder: Path) -> None:
    frames = {
        "stability.csv": tables.stability_frame(audit),
        "edges.csv": tables.edges_frame(audit),
        "estimates.csv": tables.estimates_frame(audit),
        "verdicts.csv": tables.verdicts_frame(audit),
        "tables/ledger.csv": tables.ledger_frame(audit),
        **{f"tables/{_file_name(name)}.csv": frame for name, frame in audit.tables.items()},
    }
    for name, frame in frames.items():
        if len(frame.columns):
            _write_text(folder / name, tables.to_csv(frame))


def _file_name(name: str) -> str:
    """A table name as a safe file name: letters, digits, dash and underscore."""
    return "".join(char if char.isalnum() or char in "-_" else "_" for char in name)


def _write_figures(
    drawn: "list[tuple[FigureRecord, Figure]]", folder: Path, circuit_figure: "Figure | None"
) -> None:
    folder.mkdir()
    named = [(record.key, figure) for record, figure in drawn]
    if circuit_figure is not None:
        named.append(("circuit", circuit_figure))
    for key, figure in named:
        for suffix in FIGURE_SUFFIXES:
            save_figure(figure, folder / f"{key}{suffix}")


def _move_into(staging: Path, out_dir: Path) -> list[Path]:
    """Move every file into place, each by one atomic rename."""
    if out_dir.exists() and not out_dir.is_dir():
        raise NotADirectoryError(20, "it is a file, not a folder")
    moved = []
    for source in sorted(path for path in staging.rglob("*") if path.is_file()):
        target = out_dir / source.relative_to(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        moved.append(target)
    return moved
