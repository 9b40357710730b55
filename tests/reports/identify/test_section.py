"""The section file that a joined page reads: what is written is read back, errors are clear."""

import json
from pathlib import Path

import pytest

from circuitvar.reports.page.section_file import (
    SectionFigure,
    SectionTable,
    read_section,
    write_section,
)


def written(folder: Path) -> Path:
    (folder / "figures").mkdir()
    (folder / "identifiability_counts.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "figures" / "n.svg").write_text("<svg/>", encoding="utf-8")
    return write_section(
        folder,
        kind="identifiability",
        title="Identifiability",
        summary=["Nothing is unique.", "δ matters."],
        tables=[SectionTable("identifiability_counts.csv", "Counts")],
        figures=[SectionFigure("figures/n.svg", "N", "How many.")],
    )


def test_what_is_written_is_read_back(tmp_path):
    path = written(tmp_path)
    section = read_section(tmp_path)
    assert path == tmp_path / "section.json"
    assert (section.kind, section.title) == ("identifiability", "Identifiability")
    assert section.summary == ("Nothing is unique.", "δ matters.")
    assert section.tables == (SectionTable("identifiability_counts.csv", "Counts"),)
    assert section.figures == (SectionFigure("figures/n.svg", "N", "How many."),)
    assert section.folder == tmp_path
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "figures", "identifiability_counts.csv", "section.json",
    ]  # fmt: skip
    assert json.loads(path.read_text(encoding="utf-8"))["format"] == 1


@pytest.mark.parametrize(
    ("kind", "summary", "file", "match"),
    [
        ("Two words", ["ok"], "x.csv", "kind 'Two words'"),
        ("neurons", [" "], "x.csv", "must be sentences of text; got ' '"),
        ("neurons", ["ok"], "missing.csv", "lists 'missing.csv', which is not in"),
        ("neurons", ["ok"], "../x.csv", "give a path inside the folder"),
        ("neurons", ["ok"], "/x.csv", "give a path inside the folder"),
    ],
)
def test_what_cannot_be_shown_is_not_written(tmp_path, kind, summary, file, match):
    (tmp_path / "x.csv").touch()
    with pytest.raises(ValueError, match=match):
        write_section(
            tmp_path, kind=kind, title="T", summary=summary, tables=[SectionTable(file, "t")]
        )
    assert not (tmp_path / "section.json").exists()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "is no readable JSON"),
        ("[]", "has format 'list', this version reads 1"),
        ('{"format": 2}', "has format 2, this version reads 1"),
        ('{"format": 1}', "needs text under 'kind'; got None"),
        ('{"format": 1, "kind": "a", "title": "T"}', "needs a list under 'summary'"),
        (
            '{"format": 1, "kind": "a", "title": "T", "summary": [], "tables": [{"file": "a"}],'
            ' "figures": []}',
            "an entry has exactly file, title",
        ),
    ],
)
def test_a_section_that_is_not_one_says_why(tmp_path, text, match):
    (tmp_path / "section.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=match):
        read_section(tmp_path)


def test_a_folder_without_section_or_files_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"holds no section\.json; give a folder written by"):
        read_section(tmp_path)
    written(tmp_path)
    (tmp_path / "figures" / "n.svg").unlink()
    with pytest.raises(ValueError, match=r"lists 'figures/n\.svg', which is not in"):
        read_section(tmp_path)
