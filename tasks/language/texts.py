"""All the words of the tasks that the pocket models are trained on."""

from collections.abc import Iterator

from circuitvar.tasks.language import agreement, capital, greater_than, induction, ioi, pronoun


def pocket_texts() -> Iterator[str]:
    """Every template, slots included, and every word that fills a slot."""
    for module in (ioi, greater_than, agreement, pronoun, induction, capital):
        yield from (template.text for template in module.TEMPLATES)
        yield from module.LEXICON
