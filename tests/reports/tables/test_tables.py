"""Frames and their text: complete, unrounded where exported, escaped where shown."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.types import Audit
from circuitvar.reports.tables.frames import (
    estimates_frame,
    fact,
    inclusion_frame,
    labels_of,
    ledger_frame,
    stability_frame,
    verdicts_frame,
)
from circuitvar.reports.tables.stability import (
    sentence_list,
    stability_caption,
    stability_latex,
    stability_markdown,
)
from circuitvar.reports.tables.text import (
    Column,
    latex_escape,
    markdown_escape,
    to_csv,
    to_latex,
    to_markdown,
)
from tests.reports.toy_audit import toy_audit
from tests.reports.toy_latex import compile_latex, needs_latex

HOSTILE = 'a_b & 50% $x^2$ {#1} \\input{/etc/passwd} ~ <i> | "q" φ–'


@pytest.fixture(scope="module")
def audit():
    return toy_audit()


def test_stability_has_one_row_per_axis_with_unrounded_numbers(audit):
    frame = stability_frame(audit)
    assert frame["axis"].tolist() == [axis.key for axis in audit.axes]
    assert frame["phi"].tolist() == [axis.phi.value for axis in audit.axes]
    first = audit.axes[0]
    assert frame.loc[0, "core"] == int((first.inclusion >= 0.9).sum())
    assert frame.loc[0, "union"] == int((first.inclusion > 0).sum())
    assert (frame["size_mean"] == 40).all()


def test_inclusion_is_sorted_within_each_axis(audit):
    frame = inclusion_frame(audit)
    assert len(frame) == 479 * len(audit.axes)
    for _, part in frame.groupby("axis"):
        assert (np.diff(part["inclusion"]) <= 0).all()
        assert part["rank"].tolist() == list(range(1, 480))


def test_csv_reads_back_bit_for_bit(audit):
    for frame in (stability_frame(audit), audit.edges, ledger_frame(audit)):
        back = pd.read_csv(io.StringIO(to_csv(frame)))
        for name in frame.select_dtypes("number").columns:
            np.testing.assert_array_equal(back[name], frame[name])


def test_an_audit_brings_its_own_ledger(audit):
    own = pd.DataFrame({"component": ["prompt"], "share": [1.0]})
    pd.testing.assert_frame_equal(ledger_frame(replace(audit, tables={"ledger": own})), own)


def test_frames_of_an_empty_audit_are_empty():
    empty = Audit("nothing", (), (), pd.DataFrame())
    for make in (stability_frame, estimates_frame, verdicts_frame, inclusion_frame, ledger_frame):
        assert make(empty).empty


def test_facts_are_found_where_a_provenance_keeps_them():
    provenance = {
        "model": {"name": "pocket", "sha256": "0"},
        "settings": {"n": 400, "metric": "kl"},
    }
    assert fact(provenance, "model") == "pocket"
    assert fact(provenance, "metric") == "kl"
    assert fact(provenance, "absent") is None
    audit = replace(toy_audit(), provenance=provenance)
    assert labels_of(audit.provenance) == {"model": "pocket", "metric": "kl"}


def test_latex_escapes_every_special_character():
    text = latex_escape(HOSTILE)
    assert "\\input{" not in text
    assert "\\textbackslash{}input\\{/etc/passwd\\}" in text
    for char in "_&%#$":
        assert f"\\{char}" in text


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_markdown_cells_never_break_the_table(text):
    line = to_markdown(pd.DataFrame({"x": [text]}), [Column("x", "X")]).splitlines()[2]
    assert line.replace("\\\\", "").replace("\\|", "").count("|") == 2
    assert "<" not in markdown_escape(text)


def test_latex_numbers_are_plain_for_siunitx():
    frame = pd.DataFrame({"x": [-0.123, 12.5, np.nan], "x_se": [0.02, 1.7, np.nan]})
    text = to_latex(frame, [Column("x", "X", "number", se="x_se")], caption="c", label="t")
    assert "S[table-format=-2.3]" in text or "S[table-format=-2.2]" in text
    assert "{--}" in text and "{X}" in text


def test_caption_states_what_was_fixed_varied_and_resampled(audit):
    caption = stability_caption(audit)
    for part in (
        "pocket/seed0",
        "240 from 8 templates",
        "bootstrap (prompt)",
        "row jackknife t",
        "95%",
    ):
        assert part in caption


def test_markdown_has_a_row_per_axis(audit):
    assert stability_markdown(audit).count("\n| ") == 1 + len(audit.axes)


def test_sentence_list():
    assert sentence_list(["a"]) == "a"
    assert sentence_list(["a", "b"]) == "a and b"


@needs_latex
def test_latex_compiles(audit, tmp_path):
    hostile = replace(
        audit, title=HOSTILE, axes=(replace(audit.axes[0], title=HOSTILE, unit=HOSTILE),)
    )
    compile_latex(stability_latex(audit) + stability_latex(hostile), tmp_path)
