"""All the words of the tasks that the pocket models are trained on."""

from collections.abc import Iterator

from circuitvar.tasks.language import agreement, capital, greater_than, induction, ioi, pronoun
from circuitvar.tasks.language.templates import task_records


def pocket_texts() -> Iterator[str]:
    """Every template, slots included, and every word that fills a slot."""
    for record in task_records().values():
        yield from record["templates"] if record.get("pocket") else ()
    for module in (ioi, greater_than, agreement, pronoun, induction, capital):
        yield from module.LEXICON
