"""What a shell completes: keys of tasks, methods, metrics, models and ablations.

They are repeated here because the tuples that hold them import torch; a test compares the two.
"""

from collections.abc import Callable, Sequence

KEYS: dict[str, tuple[str, ...]] = {
    what: tuple(keys.split())
    for what, keys in {
        "task": "ioi greater-than agreement pronoun induction capital docstring addition "
        "subtraction coloured-objects multiple-choice planted-induction planted-two-route "
        "planted-gated planted-noise planted-integer",
        "method": "exact exact-node eap eap-ig-inputs eap-ig-activations clean-corrupted "
        "eap-conductance atp-star relp hvp ifr random activation-size weight-norm",
        "metric": "logit_diff prob_diff log_prob kl accuracy flip",
        "model": "pocket pocket:0 pocket:1 pocket:2 pocket:3 pocket:4 planted:induction "
        "planted:two-route planted:gated planted:noise planted:integer",
        "ablation": "patching mean mean-positional zero",
    }.items()
}


def complete(what: str, words: Sequence[object] = ()) -> Callable[[str], list[str]] | None:
    """Completion of one kind of key, or of the words of a literal type; None for anything else."""
    known = KEYS.get(what) or tuple(word for word in words if isinstance(word, str))
    if not known:
        return None

    def matching(incomplete: str) -> list[str]:
        return [key for key in known if key.startswith(incomplete)]

    return matching
