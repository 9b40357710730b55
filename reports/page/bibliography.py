"""BibTeX of what an audit rests on: only the entries that its methods paragraph cites."""

from collections.abc import Mapping

ENTRIES: Mapping[str, str] = {
    "circuitvar": """@software{circuitvar,
  title = {circuitvar: error bars for circuits},
  author = {{The circuitvar developers}},
  year = {2026}
}""",
    "meloux2025": """@article{meloux2025,
  title = {Mechanistic Interpretability as Statistical Estimation: A Variance Analysis},
  author = {M{\\'e}loux and Portet and Peyrard},
  journal = {arXiv:2510.00845},
  year = {2025}
}""",
    "nogueira2018": """@article{nogueira2018,
  title = {On the Stability of Feature Selection Algorithms},
  author = {Nogueira, Sarah and Sechidis, Konstantinos and Brown, Gavin},
  journal = {Journal of Machine Learning Research},
  volume = {18},
  number = {174},
  pages = {1--54},
  year = {2018}
}""",
    "efron1979": """@article{efron1979,
  title = {Bootstrap Methods: Another Look at the Jackknife},
  author = {Efron, Bradley},
  journal = {The Annals of Statistics},
  volume = {7},
  number = {1},
  pages = {1--26},
  year = {1979}
}""",
    "syed2023": """@article{syed2023,
  title = {Attribution Patching Outperforms Automated Circuit Discovery},
  author = {Syed, Aaquib and Rager, Can and Conmy, Arthur},
  journal = {arXiv:2310.10348},
  year = {2023}
}""",
    "hanna2024": """@article{hanna2024,
  title = {Have Faith in Faithfulness: Going Beyond Circuit Overlap When Finding Model Mechanisms},
  author = {Hanna, Michael and Pezzelle, Sandro and Belinkov, Yonatan},
  journal = {arXiv:2403.17806},
  year = {2024}
}""",
    "conmy2023": """@article{conmy2023,
  title = {Towards Automated Circuit Discovery for Mechanistic Interpretability},
  author = {Conmy, Arthur and Mavor-Parker, Augustine N. and Lynch, Aengus and
            Heimersheim, Stefan and Garriga-Alonso, Adri{\\`a}},
  journal = {arXiv:2304.14997},
  year = {2023}
}""",
    "wang2022": """@article{wang2022,
  title = {Interpretability in the Wild: a Circuit for Indirect Object Identification in
           {GPT-2} small},
  author = {Wang, Kevin and Variengien, Alexandre and Conmy, Arthur and Shlegeris, Buck and
            Steinhardt, Jacob},
  journal = {arXiv:2211.00593},
  year = {2022}
}""",
    "hanna2023": """@article{hanna2023,
  title = {How does {GPT-2} compute greater-than?: Interpreting mathematical abilities in a
           pre-trained language model},
  author = {Hanna, Michael and Liu, Ollie and Variengien, Alexandre},
  journal = {arXiv:2305.00586},
  year = {2023}
}""",
}

METHOD_KEYS: tuple[tuple[str, str], ...] = (
    ("eap-ig", "hanna2024"),
    ("eap", "syed2023"),
    ("exact", "conmy2023"),
    ("acdc", "conmy2023"),
)
"""(start of a method key, citation); the first match counts."""

TASK_KEYS: tuple[tuple[str, str], ...] = (("ioi", "wang2022"), ("greater", "hanna2023"))


def cite_for(name: str, keys: tuple[tuple[str, str], ...]) -> str:
    """Citation key of the first entry that `name` starts with; empty when there is none.

    >>> cite_for("eap-ig-inputs", METHOD_KEYS), cite_for("mine", METHOD_KEYS)
    ('hanna2024', '')
    """
    return next((key for start, key in keys if name.lower().startswith(start)), "")


def bibtex(keys: list[str]) -> str:
    """The entries of `keys`, each once, in the order given."""
    return "\n\n".join(ENTRIES[key] for key in dict.fromkeys(keys))
