"""The attribution methods, as an explicit tuple of records. A user's own function joins them by
`module:attribute`: either a `Method`, or a plain function with the signature of `ScoreFn`."""

import importlib

from circuitvar.circuits.clean_corrupted import clean_corrupted, clean_corrupted_run
from circuitvar.circuits.eap import eap, eap_run
from circuitvar.circuits.eap_ig_activations import eap_ig_activations
from circuitvar.circuits.eap_ig_inputs import eap_ig_inputs, eap_ig_inputs_run
from circuitvar.circuits.exact import exact
from circuitvar.circuits.exact_node import exact_node
from circuitvar.circuits.types import ABLATIONS, Method

METHODS: tuple[Method, ...] = (
    Method(
        "exact",
        "Exact edge patching",
        exact,
        "Wang et al. 2022, arXiv 2211.00593",
        exact=True,
        ablations=ABLATIONS,
        cost="2 forwards + a third of a forward per edge",
    ),
    Method(
        "exact-node",
        "Exact node patching, lifted to edges",
        exact_node,
        "Vig et al. 2020, arXiv 2004.12265",
        unit="native",
        ablations=ABLATIONS,
        cost="2 forwards + half a forward per node",
    ),
    Method(
        "eap",
        "Edge attribution patching",
        eap,
        "Syed et al. 2023, arXiv 2310.10348",
        ablations=ABLATIONS,
        cost="2 forwards + 1 backward",
        run=eap_run,
    ),
    Method(
        "eap-ig-inputs",
        "EAP with integrated gradients over inputs",
        eap_ig_inputs,
        "Hanna et al. 2024, arXiv 2403.17806",
        cost="1 forward + m (forward + backward)",
        run=eap_ig_inputs_run,
    ),
    Method(
        "eap-ig-activations",
        "EAP with integrated gradients over activations",
        eap_ig_activations,
        "Hanna et al. 2024, arXiv 2403.17806",
        cost="2 forwards + m (2 layers + 1) (forward + backward)",
    ),
    Method(
        "clean-corrupted",
        "EAP with the mean gradient of the clean and the corrupted run",
        clean_corrupted,
        "Hanna et al. 2024, arXiv 2403.17806",
        cost="2 forwards + 2 backwards",
        run=clean_corrupted_run,
    ),
)


def get_method(key: str) -> Method:
    """The method called `key`, or the user's own as `module:attribute`.

    >>> get_method("eap").title
    'Edge attribution patching'

    Raises
    ------
    ValueError
        No such method; lists those there are.
    """
    for method in METHODS:
        if method.key == key:
            return method
    if ":" in key:
        return _user_method(key)
    raise ValueError(
        f"unknown method {key!r}; choose one of {', '.join(m.key for m in METHODS)}, or your own "
        "function as module:attribute."
    )


def _user_method(key: str) -> Method:
    module, _, attribute = key.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"method {key!r} could not be imported: {error}") from None
    if isinstance(found, Method):
        return found
    if not callable(found):
        raise ValueError(f"method {key!r} is a {type(found).__name__}; it must be a function.")
    title = (found.__doc__ or attribute).strip().splitlines()[0]
    return Method(key, title, found, "user", ablations=ABLATIONS)
