"""Take the picture of a report that the documentation shows: python docs/screenshot.py runs/demo

Needs Chromium (Debian package `chromium`). Light on the left, dark on the right; with `--part` the
top of the page, the circuit or the figures.
"""

import argparse
import base64
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"top": "main", "circuit": "#circuit", "figures": "#figures"}
WIDTH, HEIGHT = 1100, 1300


def picture(page: Path, *, part: str, dark: bool) -> bytes:
    """One part of the page as PNG bytes."""
    sys.path.insert(0, str(ROOT))
    from tests.reports.toy_browser import Browser

    scheme = "dark" if dark else "light"
    with Browser() as tab:
        tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=False,
        )
        tab.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        tab.open(page, ready="document.documentElement?.dataset.ready === 'yes'")
        top = tab.run(
            f"document.querySelector({PARTS[part]!r}).getBoundingClientRect().top + scrollY"
        )
        start = 0 if part == "top" else top - 10
        clip = {"x": 0, "y": start, "width": WIDTH, "height": HEIGHT, "scale": 1}
        shot = tab.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
        )
        if tab.errors:
            raise SystemExit(f"{page} has errors: {tab.errors}")
    return base64.b64decode(shot["data"])


def beside(pictures: list[bytes]) -> bytes:
    """Pictures of one size side by side, as PNG bytes."""
    import io

    from PIL import Image

    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures]
    joined = Image.new("RGB", (sum(i.width for i in images), images[0].height))
    for at, image in enumerate(images):
        joined.paste(image, (at * image.width, 0))
    out = io.BytesIO()
    joined.save(out, format="png", optimize=True)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="report folder")
    parser.add_argument("--part", choices=PARTS, default="top")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "report.png")
    options = parser.parse_args()
    page = options.run / "report.html"
    shots = [picture(page, part=options.part, dark=dark) for dark in (False, True)]
    options.out.write_bytes(beside(shots))
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
