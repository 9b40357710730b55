"""Results that show themselves: in one line, as text, and as a small table in a notebook."""

from collections.abc import Mapping
from html import escape
from math import isnan, nan


def number(value: float, low: float = nan, high: float = nan) -> str:
    """A number in three digits, with its interval where it has one.

    >>> number(0.91234, 0.8634, 0.9561), number(0.5)
    ('0.912 [0.863, 0.956]', '0.5')
    """
    interval = "" if isnan(low) and isnan(high) else f" [{low:.3g}, {high:.3g}]"
    return f"{value:.3g}{interval}"


class Shown:
    """A record that states its facts once and is shown by `repr`, `summary` and notebooks.

    Dataclasses pass `repr=False`, or they would print their arrays.
    """

    def _facts(self) -> Mapping[str, object]:
        """What identifies the record, in a line."""
        raise NotImplementedError

    def _details(self) -> Mapping[str, object]:
        """What a summary adds."""
        return {}

    def __repr__(self) -> str:
        facts = "; ".join(f"{name}: {value}" for name, value in self._facts().items())
        return f"{type(self).__name__}({facts})"

    def summary(self) -> str:
        """What the record says, as text: one fact a line."""
        facts = {**self._facts(), **self._details()}
        width = max(map(len, facts))
        return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in facts.items())

    def _repr_html_(self) -> str:
        facts = {**self._facts(), **self._details()}.items()
        rows = (f"<tr><th>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in facts)
        return f"<table><caption>{type(self).__name__}</caption>{''.join(rows)}</table>"
