"""Lines end at line feeds and nowhere else; a byte-order mark is not text."""

import csv
import json

import pytest

from circuitvar.tasks.own.tables import read_table
from circuitvar.tasks.text_files import lines_of, read_text

ODD = "\u2028\u2029\u0085\v\f\x1c\x1d\x1e"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_odd_separators_stay_inside_a_record(tmp_path, mark):
    rows = [{"clean": f"one{ODD}two", "corrupt": "b", "answer": f"x{ODD}", "wrong_answer": "y"}] * 2
    file = tmp_path / "p.jsonl"
    file.write_text(mark + "\n".join(json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    assert list(read_table(file).rows) == rows
    file = tmp_path / "p.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        out.write(mark)
        writer = csv.DictWriter(out, rows[0], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    assert list(read_table(file).rows) == rows


def test_lines_keep_their_ends():
    assert lines_of("a\r\nb\rc\nd") == ["a\r\n", "b\r", "c\n", "d"]
    assert lines_of("") == []


def test_what_is_not_text_is_said(tmp_path):
    file = tmp_path / "x.json"
    file.write_bytes(b"a\n\xff")
    with pytest.raises(ValueError, match=r"line 2 is not UTF-8 \(byte 0xff at offset 2\)"):
        read_text(file)
    file.write_bytes(b"a\0")
    with pytest.raises(ValueError, match="zero bytes"):
        read_text(file)
