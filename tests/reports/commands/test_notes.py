"""What was left out or read otherwise is said on the terminal, on the page and in the card."""

import json

import numpy as np
import pytest

from tests.reports.commands.toy_commands import run


@pytest.fixture
def prompts(tmp_path):
    """Eleven rows of the pocket vocabulary: one has prompts of two lengths, one no answer."""
    from circuitvar.tasks.catalog import get_task

    pairs = get_task("ioi").sample(40, rng=np.random.default_rng(0))
    cells = {p.clean: (p.clean, p.corrupt, p.answers[0], p.wrong_answers[0]) for p in pairs}
    rows = list(cells.values())[:20]
    longer = list(rows[3])
    longer[1] = longer[1].replace(" the", " the the", 1)
    rows[3] = tuple(longer)
    names = ("clean", "corrupt", "answer", "wrong_answer")
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    lines.insert(5, json.dumps({"clean": rows[0][0] + " x", "corrupt": "", "answer": " a",
                                "wrong_answer": " b"}))  # fmt: skip
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


AUDIT = "--n 11 --heldout 8 --exact 4 --bootstrap 20 --pairs 4 --allow-weak --quiet".split()


def test_rows_left_out_are_named_once(monkeypatch, capsys, tmp_path, prompts):
    out = tmp_path / "out"
    asked = ("audit", "--data", str(prompts), *AUDIT, "--out", str(out))
    code, _, err = run(monkeypatch, capsys, *asked)
    assert code == 0, err
    told = [line for line in err.splitlines() if line.startswith("note: ")]
    assert any("1 of 21 rows left out (row 6: column 'corrupt': the cell is" in t for t in told)
    lost = [t for t in told if "prompt pairs left out (1 x clean and corrupted lengths" in t]
    assert len(lost) == 1, "said once, however often the file is drawn from"
    card = json.loads((out / "card.json").read_text())
    assert "1 of 21 rows left out" in card["provenance"]["source"]
    assert "clean and corrupted lengths differ" in card["provenance"]["prompts_read"]
    page = (out / "report.html").read_text()
    assert "Caution: Prompts: " in page and "clean and corrupted lengths differ" in page


@pytest.mark.parametrize("command", ["audit", "score", "find", "decide", "design"])
def test_strict_stops_at_the_row(monkeypatch, capsys, tmp_path, prompts, command):
    out = tmp_path / "out" / "c.csv"
    code, _, err = run(
        monkeypatch, capsys, command, "--data", str(prompts), "--n", "10", "--strict",
        "--out", str(out),
    )  # fmt: skip
    assert code == 2 and "row 6, column 'corrupt': the cell is empty" in err
    assert not out.parent.exists()


def test_strict_stops_at_a_pair_that_the_tokenizer_cannot_use(
    monkeypatch, capsys, tmp_path, prompts
):
    lines = prompts.read_text().splitlines()
    prompts.write_text("\n".join([*lines[:5], *lines[6:]]), encoding="utf-8")
    code, _, err = run(
        monkeypatch, capsys, "score", "--data", str(prompts), "--n", "20", "--strict",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert code == 2
    assert "clean and corrupted lengths differ" in err
