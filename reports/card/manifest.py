"""Which files are of one report: the hash of each, written last; a folder is whole or known not."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from circuitvar.circuits.atomic import replacing

MANIFEST = "manifest.json"


def write_manifest(folder: Path, files: Iterable[Path]) -> Path:
    """Record the files of a report in place of those of an earlier one, which are deleted."""
    new = {path.relative_to(folder).as_posix(): _hash(path) for path in files}
    for name in read_manifest(folder).keys() - new.keys():
        (folder / name).unlink(missing_ok=True)
    return _write(folder, new)


def update_manifest(folder: Path, files: Iterable[Path]) -> None:
    """Record files that were added to a report, or written again."""
    found = {path.relative_to(folder).as_posix(): _hash(path) for path in files}
    _write(folder, {**read_manifest(folder), **found})


def read_manifest(folder: Path) -> dict[str, str]:
    """Hash of every file of a report, by name; empty where there is no readable manifest."""
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    files = record.get("files") if isinstance(record, dict) else None
    return files if isinstance(files, dict) else {}


def foreign_files(folder: Path) -> list[str]:
    """Files that are not what the manifest says, and tables or figures that it does not name."""
    files = read_manifest(folder)
    changed = [name for name, seal in files.items() if _hash(folder / name) != seal]
    beside = (*folder.glob("*.csv"), *folder.glob("tables/*"), *folder.glob("figures/*"))
    names = {path.relative_to(folder).as_posix() for path in beside}
    return sorted({*changed, *(names - files.keys())})


def require_one_report(folder: Path) -> None:
    """Refuse a folder whose files are not of one report.

    Raises
    ------
    ValueError
        There is no manifest, or files differ from it: names them.
    """
    if not read_manifest(folder):
        raise ValueError(
            f"{folder} has no {MANIFEST}, so its files may be of several audits; run the audit "
            "again in that folder (stored scores are used)"
        )
    wrong = foreign_files(folder)
    if wrong:
        named = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise ValueError(
            f"{named} of {folder} are not what the report was written with: edited, or of an audit "
            "that was stopped; run the audit again in that folder (stored scores are used)"
        )


def _hash(path: Path) -> str:
    if not path.is_file():
        return "missing"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(folder: Path, files: dict[str, str]) -> Path:
    text = json.dumps({"format": 1, "files": files}, indent=1, sort_keys=True)
    with replacing(folder / MANIFEST, sync=True) as file:
        file.write(f"{text}\n".encode())
    return folder / MANIFEST
