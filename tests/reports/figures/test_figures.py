"""Each figure draws what its frame says, refuses a wrong frame, and is the same every time."""

import re

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.types import Audit
from circuitvar.reports.figures.edges import exact_scatter, prompt_influence, snr_scatter
from circuitvar.reports.figures.inline_svg import inline_svg
from circuitvar.reports.figures.matrices import cross_faithfulness_matrix, similarity_heat_map
from circuitvar.reports.figures.numbers import (
    exact_numbers,
    inclusion_numbers,
    influence_numbers,
    ledger_numbers,
    sample_size_numbers,
    size_numbers,
)
from circuitvar.reports.figures.records import FIGURES, make_figures, rank_correlation_note
from circuitvar.reports.figures.stability import (
    forest_plot,
    inclusion_curve,
    sample_size_curve,
    size_curve,
)
from circuitvar.reports.figures.style import literal, save_figure
from circuitvar.reports.figures.variance import ledger_bars, specification_curve
from circuitvar.reports.page.marks import page_marks, place_marks
from circuitvar.reports.tables.frames import stability_frame
from tests.reports.toy_audit import GPT2_SMALL, toy_audit

DRAW = [
    forest_plot,
    inclusion_curve,
    size_curve,
    sample_size_curve,
    similarity_heat_map,
    exact_scatter,
    snr_scatter,
    prompt_influence,
    ledger_bars,
    specification_curve,
    cross_faithfulness_matrix,
]


@pytest.fixture(scope="module")
def audit():
    return toy_audit()


def test_every_figure_is_drawn_once(audit):
    made = make_figures(audit)
    assert [record.key for record, _ in made] == [record.key for record in FIGURES]


def test_an_audit_without_tables_skips_their_figures():
    bare = Audit("bare", (), (), pd.DataFrame())
    assert make_figures(bare) == []


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_a_frame_without_its_columns_is_refused(draw):
    with pytest.raises(ValueError, match=r"needs the columns .* missing"):
        draw(pd.DataFrame({"unrelated": [1]}))


def test_a_frame_without_rows_is_refused(audit):
    with pytest.raises(ValueError, match="no rows"):
        forest_plot(stability_frame(audit).head(0))


def test_forest_plot_shows_phi_jaccard_and_chance(audit):
    frame = stability_frame(audit)
    (axes,) = forest_plot(frame).axes
    drawn = {line.get_label(): line.get_xdata() for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["mean Jaccard"], frame["jaccard"])
    np.testing.assert_allclose(drawn["chance Jaccard"], frame["chance"])
    centres = axes.containers[0].lines[0].get_xdata()
    np.testing.assert_allclose(np.asarray(centres, dtype=float), frame["phi"])


def test_missing_intervals_are_drawn_as_points(audit):
    frame = stability_frame(audit).assign(phi_low=np.nan, phi_high=np.nan)
    assert forest_plot(frame).axes


def test_ledger_keeps_negative_shares_left_of_zero():
    frame = pd.DataFrame({"component": ["a", "b", "c"], "share": [0.7, -0.1, 0.4]})
    (axes,) = ledger_bars(frame).axes
    spans = [(patch.get_x(), patch.get_width()) for patch in axes.patches]
    np.testing.assert_allclose(spans, [(0, 0.7), (0, -0.1), (0.7, 0.4)])


def test_specification_curve_marks_the_choices_of_each_column(audit):
    frame = audit.tables["specifications"]
    _, lower = specification_curve(frame).axes
    marks = sum(len(line.get_xdata()) for line in lower.get_lines() if line.get_marker() == "s")
    assert marks == len(frame) * 3


def test_influence_shows_the_largest_first(audit):
    (axes,) = prompt_influence(audit.tables["influence"], top=3).axes
    widths = np.abs([patch.get_width() for patch in axes.patches])
    np.testing.assert_allclose(
        widths, np.sort(audit.tables["influence"]["influence"].abs())[::-1][:3]
    )


def test_exact_scatter_leaves_out_edges_without_an_exact_effect(audit):
    frame = audit.edges.assign(exact=lambda f: f["exact"].where(f.index < 100))
    (axes,) = exact_scatter(frame).axes
    assert sum(len(points.get_offsets()) for points in axes.collections) == 100


def test_note_quotes_the_rank_correlation_of_the_audit(audit):
    assert rank_correlation_note(audit) == "Spearman 0.930 [0.906, 0.954]"


def test_large_scatters_are_rasterised():
    edges = toy_audit(GPT2_SMALL, k=500).edges
    assert len(inline_svg(snr_scatter(edges), key="snr", title="SNR")) < 150_000


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_the_same_figure_is_the_same_file(audit, tmp_path, suffix):
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        save_figure(forest_plot(stability_frame(audit)), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_inline_svg_recolours_and_prefixes():
    frame = pd.DataFrame({"component": ["</svg><script>"], "share": [1.0]})
    text = inline_svg(ledger_bars(frame), key="x", title="a <b>")
    assert text.startswith("<svg") and "<script>" not in text and "a &lt;b&gt;" in text
    assert "var(--ink)" in text and "<!--" not in text
    assert all(name.startswith("x-") for name in re.findall(r'\bid="([^"]+)"', text))


def test_labels_are_literal_and_short():
    assert literal("$\\frac{1}$") == "\\$\\frac{1}\\$"
    assert len(literal("x" * 100)) == 32


def test_every_figure_answers_with_numbers_inside_its_frame(audit):
    made = make_figures(audit)
    sizes = {}
    for record, figure in made:
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', inline_svg(figure, key="f", title=""))
        sizes[record.key] = tuple(map(float, box.groups()))
    found = page_marks(audit, made)
    assert set(found) == {record.key for record in FIGURES}
    for key, marks in found.items():
        wide, high = sizes[key]
        if marks["kind"] == "grid":
            left, top, across, down = marks["box"]
            assert len(marks["values"]) == len(marks["rows"])
            x, y = np.array([left, left + across]), np.array([top, top + down])
        else:
            x, y = np.array(marks["x"]), np.array(marks["y"])
            assert len(x) == len(marks.get("texts", marks.get("edge"))) > 0
        assert (0 <= x).all() and (x <= wide).all() and (0 <= y).all() and (y <= high).all()


@pytest.mark.parametrize("key", ["phi", "jaccard"])
def test_marks_lie_on_the_markers_of_the_drawing(audit, key):
    """The places given to the page are those that matplotlib wrote into the SVG, on a log axis."""
    frame = audit.tables["phi_by_k"]
    figure = size_curve(frame)
    svg = inline_svg(figure, key="f", title="")
    marks = place_marks(figure, size_numbers(frame))
    uses = re.findall(r'<use xlink:href="#[^"]*" x="([\d.]+)" y="([\d.]+)" style="fill', svg)
    drawn = np.array(uses, dtype=float)
    placed = np.stack([marks["x"], marks["y"]], axis=1)
    placed = np.split(placed, 3)[("phi", "jaccard").index(key)]
    gaps = np.abs(drawn[:, None] - placed[None]).max(axis=2).min(axis=0)
    assert gaps.max() < 0.1


def test_numbers_say_what_the_frames_say():
    frame = pd.DataFrame(
        {"perturbation": ["halves"] * 5, "rank": range(1, 6), "inclusion": [1, 1, 0.5, 0.5, 0]}
    )
    steps = inclusion_numbers(frame)
    assert steps.texts == [
        "halves\n2 edges (rank 1 to 2)\nkept in 100.0% of runs",
        "halves\n2 edges (rank 3 to 4)\nkept in 50.0% of runs",
    ]
    assert steps.x.tolist() == [[0.5, 2.5], [2.5, 4.5]]
    frame = pd.DataFrame({"component": ["a", "b", "c"], "share": [0.6, -0.1, 0.5]})
    bars = ledger_numbers(frame)
    assert np.allclose(bars.x, [[0, 0.6], [-0.1, 0], [0.6, 1.1]])
    assert bars.texts[1] == "all edges\nb\nshare -0.100"
    influence = pd.DataFrame({"example": [7, 8], "influence": [0.001, -0.25]})
    assert influence_numbers(influence).texts == [
        "prompt 8\ninfluence -0.25",
        "prompt 7\ninfluence +0.001",
    ]


def test_points_without_a_place_are_left_out():
    frame = pd.DataFrame(
        {"n": [10, 20], "phi": [0.5, np.nan], "low": np.nan, "high": np.nan, "kind": "forecast"}
    )
    marks = sample_size_numbers(frame)
    assert marks.texts == ["forecast, n = 10 prompts\nφ 0.500"]


def test_numbers_that_do_not_exist_are_drawn_nowhere():
    frame = pd.DataFrame({"component": ["a", "b"], "share": [np.nan, 0.5]})
    figure = ledger_bars(frame)
    inline_svg(figure, key="f", title="")
    marks = place_marks(figure, ledger_numbers(frame))
    assert marks["texts"] == [] or np.isfinite(marks["x"]).all()
    assert len(marks["x"]) == len(marks["texts"])


def test_scatter_points_name_rows_of_the_edge_table(audit):
    edges = audit.edges.assign(exact=lambda f: f["exact"].where(f.index % 2 == 1))
    marks = exact_numbers(edges)
    assert (marks.edge % 2 == 1).all() and len(marks.edge) == len(edges) // 2
    assert np.array_equal(marks.x, edges["exact"].to_numpy()[marks.edge])
    assert (np.diff(np.abs(marks.x)) <= 0).all()


def test_every_curve_of_many_perturbations_looks_different():
    names = [f"axis {i}" for i in range(20)]
    frame = pd.DataFrame(
        [{"perturbation": n, "rank": r, "inclusion": 1 / r} for n in names for r in (1, 2, 3)]
    )
    figure = inclusion_curve(frame)
    lines = [line for line in figure.axes[0].lines if line.get_label() in names]
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(lines) == len(looks) == 20
