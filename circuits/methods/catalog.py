"""The attribution methods, as an explicit tuple of records.

A user's own joins them by `module:attribute`: a `Method`, or a plain function such as `ScoreFn`.
"""

from collections.abc import Collection
from functools import partial

from circuitvar.circuits.methods.baselines import activation_size, random_scores, weight_norm
from circuitvar.circuits.methods.gradient import (
    atp_star,
    clean_corrupted,
    eap,
    eap_conductance,
    eap_ig_activations,
    eap_ig_inputs,
    hvp,
    information_flow_routes,
    relp,
)
from circuitvar.circuits.methods.patching import exact, exact_node
from circuitvar.circuits.types import ABLATIONS, Method
from circuitvar.tasks.lookup import by_key, load_object, title_of

_slope = partial(Method, ablations=ABLATIONS, needs_gradient=True, uses=("role",))
_native = partial(Method, unit="native", ablations=ABLATIONS, uses=())

METHODS: tuple[Method, ...] = (
    Method(
        "exact",
        "Exact edge patching",
        exact,
        "Wang et al. 2022, arXiv 2211.00593",
        exact=True,
        ablations=ABLATIONS,
        uses=("role",),
        cost="2 forwards + a third of a forward per edge",
    ),
    _native(
        "exact-node",
        "Exact node patching, lifted to edges",
        exact_node,
        "Vig et al. 2020, arXiv 2004.12265",
        uses=("role",),
        cost="2 forwards + half a forward per node",
    ),
    _slope(
        "eap",
        "Edge attribution patching",
        eap,
        "Syed et al. 2023, arXiv 2310.10348",
        cost="2 forwards + 1 backward",
    ),
    Method(
        "eap-ig-inputs",
        "EAP with integrated gradients over inputs",
        eap_ig_inputs,
        "Hanna et al. 2024, arXiv 2403.17806",
        needs_gradient=True,
        cost="1 forward + m (forward + backward)",
    ),
    Method(
        "eap-ig-activations",
        "EAP with integrated gradients over activations",
        eap_ig_activations,
        "Hanna et al. 2024, arXiv 2403.17806",
        needs_gradient=True,
        uses=("steps", "role"),
        cost="2 forwards + m (2 layers + 1) (forward + backward)",
    ),
    Method(
        "clean-corrupted",
        "EAP with the mean gradient of the clean and the corrupted run",
        clean_corrupted,
        "Hanna et al. 2024, arXiv 2403.17806",
        needs_gradient=True,
        uses=("role",),
        cost="2 forwards + 2 backwards",
    ),
    Method(
        "eap-conductance",
        "EAP with conductance along the inputs",
        eap_conductance,
        "after Dhamdhere et al. 2018, arXiv 1805.12233; cf. arXiv 2606.16920",
        needs_gradient=True,
        uses=("steps", "role"),
        cost="1 forward + m (forward + backward + contraction)",
    ),
    _slope(
        "atp-star",
        "AtP*: recomputed attention and dropped gradients",
        atp_star,
        "Kramár et al. 2024, arXiv 2403.00745",
        unit="native",
        cost="layers (forward + backward) + one head per edge into q or k",
    ),
    _slope(
        "relp",
        "Relevance patching",
        relp,
        "Jafari et al. 2025, arXiv 2508.21258",
        unit="native",
        cost="2 forwards + 1 backward",
    ),
    _slope(
        "hvp",
        "EAP with second-order correction",
        hvp,
        "after Syed et al. 2023, arXiv 2310.10348",
        cost="eap + twice exact",
    ),
    _native(
        "ifr",
        "Information-flow routes",
        information_flow_routes,
        "Ferrando & Voita 2024, arXiv 2403.00824",
        cost="1 forward",
    ),
    _native("random", "Baseline: random scores", random_scores, "baseline", cost="none"),
    _native(
        "activation-size",
        "Baseline: change of the source",
        activation_size,
        "baseline",
        uses=("role",),
        cost="2 forwards",
    ),
    _native(
        "weight-norm",
        "Baseline: norm of the virtual weights",
        weight_norm,
        "Elhage et al. 2021, transformer-circuits.pub",
        cost="one matrix product per pair of nodes",
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
    if ":" not in key:
        also = ", or your own function as module:attribute"
        return by_key("method", key, METHODS, also=also)
    found = load_object("method", key, Method)
    if isinstance(found, Method):
        return found
    return Method(key, title_of("method", key, found), found, "user", ablations=ABLATIONS)


WHAT: dict[str, str] = {
    "steps": "has no integration steps",
    "rule": "has no choice of an integration rule",
    "role": "patches at no positions",
}
"""What is true of a method that does not read an option."""


def refuse_ignored(method: Method, given: Collection[str]) -> None:
    """Refuse options that were asked for and that the method does not read.

    Raises
    ------
    ValueError
        Names the option, why it has no effect, and the methods that read it.
    """
    for option, why in WHAT.items():
        if option in given and option not in method.uses:
            others = ", ".join(m.key for m in METHODS if option in m.uses)
            raise ValueError(
                f"method {method.key!r} {why}, so {option!r} would have no effect: leave it out, "
                f"or use one of {others}"
            )
