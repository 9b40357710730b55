"""Each figure draws what its frame says, refuses a wrong frame, and is the same every time."""

import re

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.types import Audit
from circuitvar.reports import figures_edges, figures_stability, figures_variance
from circuitvar.reports.figures import FIGURES, make_figures, rank_correlation_note
from circuitvar.reports.inline_svg import inline_svg
from circuitvar.reports.style import literal, save_figure
from circuitvar.reports.tables import stability_frame
from tests.toy_audit import GPT2_SMALL, toy_audit

DRAW = [
    figures_stability.forest_plot,
    figures_stability.inclusion_curve,
    figures_stability.size_curve,
    figures_stability.sample_size_curve,
    figures_stability.similarity_heat_map,
    figures_edges.exact_scatter,
    figures_edges.snr_scatter,
    figures_edges.prompt_influence,
    figures_variance.ledger_bars,
    figures_variance.specification_curve,
    figures_variance.cross_faithfulness_matrix,
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
        figures_stability.forest_plot(stability_frame(audit).head(0))


def test_forest_plot_shows_phi_jaccard_and_chance(audit):
    frame = stability_frame(audit)
    (axes,) = figures_stability.forest_plot(frame).axes
    drawn = {line.get_label(): line.get_xdata() for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["mean Jaccard"], frame["jaccard"])
    np.testing.assert_allclose(drawn["chance Jaccard"], frame["chance"])
    centres = axes.containers[0].lines[0].get_xdata()
    np.testing.assert_allclose(np.asarray(centres, dtype=float), frame["phi"])


def test_missing_intervals_are_drawn_as_points(audit):
    frame = stability_frame(audit).assign(phi_low=np.nan, phi_high=np.nan)
    assert figures_stability.forest_plot(frame).axes


def test_ledger_keeps_negative_shares_left_of_zero():
    frame = pd.DataFrame({"component": ["a", "b", "c"], "share": [0.7, -0.1, 0.4]})
    (axes,) = figures_variance.ledger_bars(frame).axes
    spans = [(patch.get_x(), patch.get_width()) for patch in axes.patches]
    np.testing.assert_allclose(spans, [(0, 0.7), (0, -0.1), (0.7, 0.4)])


def test_specification_curve_marks_the_choices_of_each_column(audit):
    frame = audit.tables["specifications"]
    _, lower = figures_variance.specification_curve(frame).axes
    marks = sum(len(line.get_xdata()) for line in lower.get_lines() if line.get_marker() == "s")
    assert marks == len(frame) * 3


def test_influence_shows_the_largest_first(audit):
    (axes,) = figures_edges.prompt_influence(audit.tables["influence"], top=3).axes
    widths = np.abs([patch.get_width() for patch in axes.patches])
    np.testing.assert_allclose(
        widths, np.sort(audit.tables["influence"]["influence"].abs())[::-1][:3]
    )


def test_exact_scatter_leaves_out_edges_without_an_exact_effect(audit):
    frame = audit.edges.assign(exact=lambda f: f["exact"].where(f.index < 100))
    (axes,) = figures_edges.exact_scatter(frame).axes
    assert sum(len(points.get_offsets()) for points in axes.collections) == 100


def test_note_quotes_the_rank_correlation_of_the_audit(audit):
    assert rank_correlation_note(audit) == "Spearman 0.930 [0.906, 0.954]"


def test_large_scatters_are_rasterised():
    edges = toy_audit(GPT2_SMALL, k=500).edges
    assert len(inline_svg(figures_edges.snr_scatter(edges), key="snr", title="SNR")) < 150_000


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_the_same_figure_is_the_same_file(audit, tmp_path, suffix):
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        save_figure(figures_stability.forest_plot(stability_frame(audit)), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_inline_svg_recolours_and_prefixes():
    frame = pd.DataFrame({"component": ["</svg><script>"], "share": [1.0]})
    text = inline_svg(figures_variance.ledger_bars(frame), key="x", title="a <b>")
    assert text.startswith("<svg") and "<script>" not in text and "a &lt;b&gt;" in text
    assert "var(--ink)" in text and "<!--" not in text
    assert all(name.startswith("x-") for name in re.findall(r'\bid="([^"]+)"', text))


def test_labels_are_literal_and_short():
    assert literal("$\\frac{1}$") == "\\$\\frac{1}\\$"
    assert len(literal("x" * 100)) == 32
