"""Write the reference pages that follow from the code: commands, methods, tasks, API.

`python docs/generate.py` rewrites them; a test fails when a committed page is out of date.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).resolve().parent
MARK = "<!-- Written by docs/generate.py; edit the code or docs/method_notes.yaml instead. -->\n"
FOLDERS = ("tasks", "circuits", "audit", "reports")
ROOT = DOCS.parent
PARAGRAPH = "\n\n"
BLANK = re.compile(r"\n\s*\n")


def cell(text: object) -> str:
    """Text that cannot break out of a Markdown table cell."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)


def fact_list(facts: list[tuple[object, ...]]) -> str:
    """A Markdown list of `name: value` lines."""
    return "\n".join(f"* {name}: {cell(value)}" for name, value in facts)


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command below `command`, as (name, command)."""
    children: Mapping[str, Any] = getattr(command, "commands", {})
    for name, child in children.items():
        if getattr(child, "commands", None):
            yield from walk(child, (*path, name))
        else:
            yield " ".join((*path, name)), child


def click_app() -> Any:
    """The command line as a click command."""
    from typer.main import get_command

    from circuitvar.reports.commands.cli import app

    return get_command(app)


def parameter_row(parameter: Any) -> tuple[object, ...]:
    if parameter.param_type_name == "argument":
        name = f"`{parameter.name.upper()}`"
    else:
        name = ", ".join(f"`{option}`" for option in parameter.opts)
    default = parameter.default
    given = default is not None and default is not False and default != [] and default != ()
    if parameter.required:
        shown = "required"
    else:
        shown = f"`{default}`" if given and not callable(default) else ""
    return name, shown, getattr(parameter, "help", None) or ""


def commands_page() -> str:
    """Every command with its help text and options."""
    parts = ["# Commands", "", MARK]
    parts.append(
        "A mistake in a name or number is answered with one sentence and exit code 2. "
        "`CIRCUITVAR_DEBUG=1` shows the traceback instead. `circuitvar COMMAND --help` prints "
        "the same text as this page.\n"
    )
    for name, command in walk(click_app()):
        parts += [f"## circuitvar {name}", "", command.help or "", ""]
        ordered = sorted(command.params, key=lambda p: p.param_type_name != "argument")
        rows = [parameter_row(p) for p in ordered if p.name != "help"]
        if rows:
            parts += [table(("option", "default", "meaning"), rows), ""]
    return "\n".join(parts)


def notes() -> dict[str, dict[str, dict[str, str]]]:
    """Hand-written formulas and failure notes by key."""
    return yaml.safe_load((DOCS / "method_notes.yaml").read_text(encoding="utf-8"))


def card(record: Any, note: Mapping[str, str], facts: list[tuple[object, ...]]) -> str:
    """One method card."""
    return "\n".join(
        [
            f"### `{record.key}`: {record.title}",
            "",
            "```text",
            note["formula"].rstrip(),
            "```",
            "",
            fact_list(facts),
            "",
            f"**When it fails.** {' '.join(note['fails'].split())}",
            "",
        ]
    )


def methods_page() -> str:
    """Method cards from METHODS and FINDERS."""
    from circuitvar.circuits.find import FINDERS
    from circuitvar.circuits.methods.catalog import METHODS

    written = notes()
    parts = ["# Method cards", "", MARK]
    parts.append(
        "Scores are per example. Positive means that patching the edge damages the behaviour. "
        "`metric` scale: an estimate of that damage in units of the metric; `native` scale: "
        "another quantity, comparable by rank only. *m* is `--steps`. Notation: *a_u* is what "
        "source *u* writes, *x_v* the stream that destination *v* reads, *M* the metric; sums run "
        "over token positions.\n"
    )
    parts.append("## Attribution methods\n")
    for method in METHODS:
        facts: list[tuple[object, ...]] = [
            ("citation", method.citation),
            ("scale", method.unit),
            ("exact", "yes" if method.exact else "no"),
            ("ablations", ", ".join(method.ablations)),
            ("cost per batch", method.cost),
        ]
        parts.append(card(method, written["methods"][method.key], facts))
    parts.append(
        "## Finders\n\nA finder takes examples and returns a circuit. It is not a mean over "
        "examples, so it is run again for every perturbation: facets `finder` and `finder_seed` "
        "of a [design](formats.md#design-files).\n"
    )
    for finder in FINDERS:
        parts.append(card(finder, written["finders"][finder.key], [("citation", finder.citation)]))
    return "\n".join(parts)


def tasks_page() -> str:
    """Tasks, planted models and metrics."""
    from circuitvar.tasks.catalog import TASKS
    from circuitvar.tasks.planted import PLANTED
    from circuitvar.tasks.tokens import METRICS

    parts = ["# Tasks, planted models and metrics", "", MARK, "## Tasks", ""]
    for task in TASKS:
        facts: list[tuple[object, ...]] = [
            ("templates", len(task.templates)),
            ("metric", task.metric),
            ("pocket models do it", "yes" if task.pocket else "no"),
            ("source", task.source),
            ("licence", task.licence),
        ]
        corruptions = [(f"`{c.key}`", c.rationale) for c in task.corruptions]
        parts += [f"### `{task.key}`: {task.title}", "", fact_list(facts), ""]
        parts += [table(("corruption", "what it removes and keeps"), corruptions), ""]
    parts += [
        "## Planted models",
        "",
        "Decoders with hand-set weights whose circuit and effects are known in closed form. Load "
        "one as `planted:KEY`; its task is `planted-KEY`.",
        "",
    ]
    planted = [(f"`{p.key}`", f"`{p.task.key}`", p.title, len(p.task.known_edges)) for p in PLANTED]
    parts += [table(("model", "task", "what it is", "edges in the circuit"), planted), ""]
    metrics = [
        (f"`{m.key}`", m.title, m.unit, "more" if m.higher_is_better else "less",
         "yes" if m.differentiable else "no")
        for m in METRICS
    ]  # fmt: skip
    parts += ["## Metrics", "", "One number per example.", ""]
    parts += [table(("metric", "title", "unit", "better", "gradient"), metrics), ""]
    return "\n".join(parts)


def leaderboard_page() -> str:
    """Every method on the models whose circuit is known. Rounded; not compared by the tests."""
    from circuitvar.circuits.methods.catalog import METHODS
    from circuitvar.reports.compare import leaderboard

    frame = leaderboard(METHODS)
    parts = ["# Leaderboard", "", MARK]
    parts.append(
        "Every built-in method on planted models, whose circuit and effects are known in closed "
        "form, and on the pocket model, a small trained transformer with every edge patched "
        "exactly (its circuit is the strongest tenth of the edges by exact patching). AUROC and "
        "average precision: how well |score| ranks the true edges first. Rank correlation: with "
        "the exact effects. phi: between complementary halves of the prompts, keeping as many "
        "edges as the true circuit has. Small models separate methods that are wrong in principle; "
        "they do not say which is best on a large model. Note how stable the methods are that "
        "never look at the task.\n"
    )
    columns = ("method", "AUROC", "average precision", "rank correlation", "phi", "note")
    keys = ("auroc", "average_precision", "spearman", "phi")
    for case, rows in frame.groupby("case", sort=False):
        cells = [
            (f"`{row['method']}`", *(f"{row[k]:.2f}" for k in keys), row["note"])
            for row in rows.to_dict("records")
        ]
        parts += [f"## `{case}`", "", table(columns, cells), ""]
    return "\n".join(parts)


def rooms() -> dict[str, list[str]]:
    """Import names of the modules of each folder, by the folder's path, without the doors."""
    found: dict[str, list[str]] = {}
    for path in sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        if path.stem != "__init__" and path.parent.name != "front":
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.setdefault("/".join(parts[:-1]), []).append(".".join(("circuitvar", *parts)))
    return found


def pages() -> dict[str, str]:
    """Committed pages by path below `docs/`. The API pages are made at build time, not here."""
    return {"commands.md": commands_page(), "methods.md": methods_page(), "tasks.md": tasks_page()}


def public_names(module: Any, prefix: str) -> str:
    """A table of the public names of a module, each with the first sentence of its docstring."""
    rows = []
    for name in module.__all__:
        value = getattr(module, name)
        home = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        shown, text = f"`{prefix}.{name}`", ""
        if home.startswith("circuitvar."):
            shown, text = f"[{shown}][{home}]", inspect.getdoc(value) or ""
        elif inspect.ismodule(value):
            shown, text = f"[{shown}](#cv{name})", inspect.getdoc(value) or ""
        rows.append(f"| {shown} | {cell(text.split(PARAGRAPH)[0])} |")
    return "\n".join(["| name | what it is |", "| --- | --- |", *rows])


def public_page() -> str:
    """Everything that `import circuitvar as cv` gives."""
    import circuitvar as cv
    from circuitvar.reports import front

    parts = ["# The public API", "", "`import circuitvar as cv` gives these names, loaded when "]
    parts[-1] += "they are first used. What is not listed here may move between versions.\n"
    parts.append(public_names(front, "cv"))
    for name in (n for n in front.__all__ if inspect.ismodule(getattr(cv, n))):
        module = getattr(cv, name)
        parts += [f"\n## cv.{name}\n", inspect.getdoc(module) or "", ""]
        parts.append(public_names(module, f"cv.{name}"))
    return "\n".join(parts)


def api_pages() -> dict[str, str]:
    """The public names, then one page per room; written by the site build only."""
    inside = {
        f"api/{room.replace('/', '-')}.md": f"# `circuitvar.{room.replace('/', '.')}`\n\n"
        + "\n\n".join(f"::: {name}" for name in names)
        + "\n"
        for room, names in rooms().items()
    }
    return {"api/index.md": public_page(), **inside}


def write() -> list[Path]:
    """Rewrite every generated page."""
    written = []
    for name, text in {**pages(), "leaderboard.md": leaderboard_page()}.items():
        path = DOCS / name
        path.write_text(text.rstrip() + "\n", encoding="utf-8")
        written.append(path)
    return written


def on_config(config: Any) -> Any:
    """MkDocs hook: a line of the navigation for each room."""
    (api,) = (entry["API"] for entry in config["nav"] if "API" in entry)
    for folder in FOLDERS:
        inside = [room for room in rooms() if room.split("/")[0] == folder]
        api.append({folder: [{room: f"api/{room.replace('/', '-')}.md"} for room in inside]})
    return config


def on_files(files: Any, config: Any) -> Any:
    """MkDocs hook: add the API pages, which need no copy in the repository."""
    from mkdocs.structure.files import File

    for name, text in api_pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """MkDocs hook: API pages without the blank lines of their templates, a tenth of their size."""
    return BLANK.sub("\n", output) if page.file.src_uri.startswith("api/") else output


if __name__ == "__main__":
    for page in write():
        print(page.relative_to(ROOT))
