"""`circuitvar identify`: one sentence per contradiction; what it prints for small nets."""

import pytest

from circuitvar.reports.page.section_file import read_section
from tests.reports.commands.toy_commands import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give exactly one of: gates"),
        (("xor", "--model", "pocket"), "give exactly one of: gates"),
        (("xor", "--seed-model", "pocket:1"), "--seed-model needs --model"),
        (("and", "--size", "5", "--method", "eap"), "--method needs --model: it is about a trans"),
        (("xor", "--task", "ioi"), "--task needs --model"),
        (("xor", "--device", "cpu"), "--device needs --model"),
        (("--model", "pocket", "--width", "2"), "--width needs gates"),
        (("--paper-tables", "--loss-target", "0.1"), "--loss-target needs gates"),
        (("--paper-tables", "--m", "3"), "--m needs --model"),
        (("xor", "--table", "basic"), "--table needs --paper-tables"),
        (("--paper-tables", "--table", "depth"), "unknown table 'depth'; choose one of basic"),
        (("nope",), "unknown gate 'nope'"),
        (("0120",), "only 0 and 1"),
        (("and", "parity"), "outputs of one net share their inputs"),
        (
            ("--model", "planted:two-route", "--task", "planted-two-route", "--seed-models",
             "planted:integer"),
            "training seeds must share one architecture",
        ),
    ],
)  # fmt: skip
def test_contradictions_are_one_sentence(monkeypatch, capsys, tmp_path, arguments, message):
    code, _, err = run(monkeypatch, capsys, "identify", *arguments, "--out", str(tmp_path / "x"))
    assert code == 2 and message in err and "Traceback" not in err


def test_a_gate_ends_in_tables_figures_and_sentences(monkeypatch, capsys, tmp_path):
    code, out, _ = run(
        monkeypatch, capsys, "identify", "0001", "--width", "2", "--depth", "1", "--seeds", "2",
        "--loss-target", "0.05", "--out", str(tmp_path),
    )  # fmt: skip
    assert code == 0
    section = read_section(tmp_path)
    assert all(sentence in out for sentence in section.summary)
    assert any("method noise is" in s and "true degeneracy is" in s for s in section.summary)
