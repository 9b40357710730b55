"""Results that show themselves: short, without arrays, escaped."""

from dataclasses import dataclass

import numpy as np

from circuitvar.tasks.shown import Shown, number


@dataclass(frozen=True, repr=False)
class Result(Shown):
    name: str
    values: tuple[int, ...]

    def _facts(self):
        return {"name": self.name, "values": len(self.values)}

    def _details(self):
        return {"largest": max(self.values)}


def test_one_line_has_the_facts_and_no_values():
    assert repr(Result("a", (7, 8))) == "Result(name: a; values: 2)"


def test_the_summary_adds_the_details_in_columns():
    assert Result("a", (7, 8)).summary() == "name     a\nvalues   2\nlargest  8"


def test_the_table_is_escaped():
    html = Result("<b>", (7,))._repr_html_()
    assert "<b>" not in html
    assert "<tr><th>name</th><td>&lt;b&gt;</td></tr>" in html


def test_equality_and_hash_stay_those_of_the_dataclass():
    assert Result("a", (7,)) == Result("a", (7,)) != Result("a", (8,))
    assert hash(Result("a", (7,))) == hash(Result("a", (7,)))


def test_a_number_without_an_interval_has_none():
    assert number(np.nan) == "nan"
    assert number(1234.5, 1000.0, 2000.0) == "1.23e+03 [1e+03, 2e+03]"
