"""Size of the page, time to write a report and to open it: the demo's shape and GPT-2 small's.

    python benchmarks/page.py

Needs Chromium. Opening is from navigation until the page says that it is ready for input.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from circuitvar.reports.page import write_report
from tests.reports.toy_audit import GPT2_SMALL, POCKET, toy_audit
from tests.reports.toy_browser import Browser

READY = "document.documentElement?.dataset.ready === 'yes'"


def main() -> None:
    print("| page | edges | MB | report written, s | opened, s |\n|---|---|---|---|---|")
    for name, graph in (("pocket", POCKET), ("GPT-2 small", GPT2_SMALL)):
        with tempfile.TemporaryDirectory() as folder:
            audit = toy_audit(graph)
            start = time.perf_counter()
            write_report(audit, Path(folder) / "run")
            written = time.perf_counter() - start
            page = Path(folder) / "run" / "report.html"
            opened = []
            with Browser() as tab:
                for _ in range(3):
                    start = time.perf_counter()
                    tab.open(page, ready=READY)
                    opened.append(time.perf_counter() - start)
            size = page.stat().st_size / 1e6
            print(f"| {name} | {graph.n_edges} | {size:.1f} | {written:.1f} | {min(opened):.2f} |")


if __name__ == "__main__":
    main()
