"""Put the demo's own table and figure into the README: `python docs/update_readme.py runs/demo`."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- demo:begin", "<!-- demo:end -->"


def demo_block(run: Path) -> str:
    """Table and verdicts of a finished demo as Markdown."""
    import pandas as pd

    table = (run / "stability.md").read_text(encoding="utf-8").split("\n\n")[0]
    verdicts = pd.read_csv(run / "verdicts.csv")
    counts = verdicts["outcome"].value_counts()
    judged = ", ".join(
        f"{counts[name]} {name}" for name in ("pass", "fail", "undecided") if name in counts
    )
    return (
        "From `make demo`, as written to `runs/demo/stability.md` (95% intervals; verdicts: "
        f"{judged}):\n\n{table}\n\n"
        "![Agreement by perturbation, with intervals and chance levels](docs/images/forest.png)\n"
    )


def main(run: Path) -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    start = text.index("\n", text.index(BEGIN)) + 1
    stop = text.index(END)
    readme.write_text(text[:start] + demo_block(run) + text[stop:], encoding="utf-8")
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    shutil.copyfile(run / "figures" / "forest.png", images / "forest.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo"))
