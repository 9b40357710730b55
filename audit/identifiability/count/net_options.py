"""What is counted for a small net, and which combinations of settings are not defined."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from circuitvar.audit.identifiability.count.estimators import resolve
from circuitvar.audit.identifiability.nets import NET_ABLATIONS, Criterion, Estimator, NetAblation


@dataclass(frozen=True)
class NetOptions:
    """What is counted for each net."""

    ablations: tuple[NetAblation, ...] = NET_ABLATIONS
    """What a removed edge carries."""
    deltas: tuple[float, ...] = (1e-6, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5)
    """Distances from the net within which circuits are counted, for the tolerance curve."""
    interpretations: bool = True
    """Exact at width 3 and below, over all valid circuits of both spaces; wider nets, and more than
    20,000 valid circuits, get the median over sampled valid circuits."""
    mappings: bool = True
    """Whether algorithms are mapped onto the net."""
    variants: tuple[str, ...] = ("all pairs", "paper")
    """Tests that a mapping has to pass, counted one beside the other; see `valid_mappings`."""
    draws: int = 400_000
    """Monte Carlo draws where counting is out of reach."""
    samples: int = 400
    """Valid circuits sampled, and discovery re-runs, for the overlap comparison; 0 skips it."""
    criterion: Criterion = field(default_factory=Criterion)
    """When a circuit is valid."""
    iia: bool = False
    """Valid circuits must also agree with the net under every interchange intervention; no
    interpretations and overlaps then. Zero or mean ablation."""
    estimator: Estimator = "auto"
    """How circuits are counted; `auto` is exact where that is feasible, else Monte Carlo."""

    @property
    def title(self) -> str:
        """The criterion in words."""
        return self.criterion.title + (", IIA 1" if self.iia else "")


def check_options(options: NetOptions, widths: Sequence[int]) -> None:
    """Refuse what is not defined before any net is trained.

    Raises
    ------
    ValueError
        A negative delta, no or unknown ablations, draws below 1, exact counts of a large net, or
        IIA with interchange ablation, splitting or strata.
    """
    criterion = options.criterion
    if criterion.key == "delta" and not criterion.delta >= 0:
        raise ValueError(f"delta must be 0 or more; got {criterion.delta}")
    if not options.ablations or not set(options.ablations) <= set(NET_ABLATIONS):
        raise ValueError(
            f"ablations must be some of {', '.join(NET_ABLATIONS)}; got {options.ablations}"
        )
    if options.draws < 1:
        raise ValueError(f"need at least 1 draw; got {options.draws}")
    if options.iia and "interchange" in options.ablations:
        raise ValueError("criterion iia builds its own interchanges; use zero or mean ablation")
    if options.iia and options.estimator in ("splitting", "strata"):
        raise ValueError(
            f"criterion iia cannot be counted by {options.estimator}; "
            "use auto, exact or monte-carlo"
        )
    resolve(options.estimator, widths)
