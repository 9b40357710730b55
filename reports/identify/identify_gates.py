"""Boolean functions as users type them: names, or truth tables as digits."""


def as_table(gate: str) -> str | list[int]:
    """A name as it is; digits as the truth table they spell, rows in counting order.

    Whether the name is known and the digits are 0 and 1 is checked where the table is used.

    >>> as_table("xor"), as_table("0110")
    ('xor', [0, 1, 1, 0])
    """
    return [int(digit) for digit in gate] if gate.isdecimal() else gate
