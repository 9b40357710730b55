"""`circuitvar runs ls | show | verify | gc`: what a folder keeps of finished work."""

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from circuitvar.circuits.items import Listed, list_items
from circuitvar.reports.commands.read.lists import show_rows

Folder = Annotated[Path, typer.Argument(help="Folder that a command wrote to.")]


def ls(folder: Folder) -> None:
    """List what is kept: scores and circuit runs by blocks of prompts, runs of designs, nets."""
    found = list_items(folder)
    rows = [
        {
            "item": item.path.stem[:12],
            "state": item.state,
            "what": summary(item),
            "MB": round(item.bytes / 1e6, 2),
        }
        for item in found
    ]
    show_rows(rows, title=f"{len(rows)} items, {sum(i.bytes for i in found) / 1e6:.1f} MB")


def summary(item: Listed) -> str:
    """What an item is, in a few words."""
    known: dict[str, Any] = {**(item.identity or {})}
    if not known:
        return item.path.name
    if isinstance(known.get("levels"), dict):
        levels = [f"{name}={level}" for name, level in known["levels"].items()]
        return f"run: {', '.join(levels) or 'as audited'}, replicate {known['replicate']}"
    if "examples" in known:
        return f"scores: {known['method'][0]}, {known['metric']}, {len(known['examples'])} prompts"
    return ", ".join(f"{name}={value}" for name, value in known.items())[:80]


def show(
    folder: Folder,
    item: Annotated[str, typer.Argument(help="The first letters of an item's name.")],
) -> None:
    """Print what one item follows from and holds, as JSON."""
    found = [each for each in list_items(folder) if each.path.stem.startswith(item)]
    if len(found) != 1:
        raise ValueError(
            f"{len(found)} items of {folder} begin with {item!r}; `circuitvar runs ls {folder}` "
            "lists their names"
        )
    (one,) = found
    record = {"item": one.path.stem, "state": one.state, "identity": one.identity}
    print(json.dumps({**record, "arrays": one.shapes}, indent=1, sort_keys=True))


def verify(folder: Folder) -> None:
    """Check every item against its checksum and its name; exit 1 where one is not believed."""
    found = list_items(folder)
    bad = [item for item in found if item.state in ("damaged", "foreign")]
    for item in bad:
        print(f"{item.state}: {item.path}")
    print(f"{len(found) - len(bad)} of {len(found)} items are whole or not in use")
    if bad:
        print(f"they are computed again when needed; `circuitvar runs gc {folder}` deletes them")
        raise typer.Exit(1)


def gc(folder: Folder) -> None:
    """Delete what is never read again: damaged, foreign and stale items, abandoned files."""
    gone = [item for item in list_items(folder) if item.state != "whole"]
    for item in gone:
        print(f"{item.state}: {item.path}")
        shutil.rmtree(item.path) if item.path.is_dir() else item.path.unlink()
    print(f"deleted {len(gone)} items, {sum(item.bytes for item in gone) / 1e6:.1f} MB")


runs = typer.Typer(help="What a folder keeps of finished work.", no_args_is_help=True)
for function in (ls, show, verify, gc):
    runs.command(function.__name__)(function)
