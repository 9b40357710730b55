"""Count explanations of small nets, one stored item per net: a stopped run goes on where it was.

`run_identify` trains nets on Boolean functions and counts circuits, interpretations, algorithms
and mappings of each; `run_paper_tables` repeats the experiments of arXiv 2502.20914. Every frame
is written as CSV, unrounded, next to the figures and a `section.json` for report pages.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability.count import NetOptions, check_options
from circuitvar.audit.identifiability.reruns import noise_table
from circuitvar.audit.identifiability.tables import Frames, net_tables, summarize_counts
from circuitvar.audit.streams import stream
from circuitvar.circuits.items import RUNS
from circuitvar.reports.identify.figures import write_figures
from circuitvar.reports.identify.section import clear_tables, csv_name, write_nets_section
from circuitvar.reports.identify.settings import as_table, settings_columns, settings_sentence
from circuitvar.reports.options import NetTraining
from circuitvar.reports.page import SectionTable, write_section
from circuitvar.reports.tables import kept_tables
from circuitvar.tasks.language import truth_table
from circuitvar.tasks.lookup import unknown

if TYPE_CHECKING:  # torch is slow to import
    from circuitvar.audit.identifiability.nets import Recipe, TrainedNet

Progress = Callable[[str, int, int], None]
CHUNK = 100
"""Seeds trained together."""


@dataclass(frozen=True)
class Experiment:
    """One table of the paper: nets that differ in one setting."""

    key: str
    title: str
    gates: tuple[tuple[str, ...], ...] = (("xor",),)
    widths: tuple[int, ...] = (3,)
    noise: tuple[float, ...] = (0.0,)
    loss_targets: tuple[float, ...] = (1e-2,)
    ablations: tuple[str, ...] = ("zero",)
    samples: int = 0
    """Valid circuits drawn and re-runs made to compare overlaps; 0 for none."""


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("basic", "XOR, width 3", ablations=("zero", "mean", "interchange"), samples=200),
    Experiment("width", "XOR by width", widths=(2, 3, 4, 5)),
    Experiment(
        "tasks",
        "1 to 6 gates computed by one net",
        gates=tuple(("xor", "and", "or", "imp", "nand", "nor")[:n] for n in range(1, 7)),
    ),
    Experiment("gate", "Target gate", gates=(("xor",), ("and",), ("or",), ("imp",))),
    Experiment("noise", "Noise on training inputs", noise=(0.0, 0.1)),
    Experiment("loss", "Loss target", loss_targets=(1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)),
)


def experiments_called(keys: Sequence[str]) -> tuple[Experiment, ...]:
    """The experiments with these keys, in the paper's order; all for no keys.

    Raises
    ------
    ValueError
        An unknown key.

    >>> [e.key for e in experiments_called(["loss", "width"])]
    ['width', 'loss']
    """
    known = [e.key for e in EXPERIMENTS]
    for key in keys:
        if key not in known:
            raise unknown("table", key, known)
    return tuple(e for e in EXPERIMENTS if not keys or e.key in keys)


def run_identify(
    gates: str | Sequence[str],
    *,
    widths: Sequence[int] = NetTraining.widths,
    seeds: Sequence[int] = range(NetTraining.seeds),
    out: Path | str,
    recipe: "Recipe | None" = None,
    options: NetOptions | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Frames:
    """Train nets, count what fits them, write tables and figures to `out`; returns the frames.

    `gates` is one gate (a name or a truth table as digits, "0110"), or several that one net
    computes on separate outputs (each output is audited by itself). Finished nets are kept in
    `out/runs` under a hash of everything that decides their numbers, and are not counted again.

    Raises
    ------
    ValueError
        Unknown gate, no seeds, or no net that learnt the task.
    """
    from circuitvar.audit.identifiability.nets import Recipe

    gates = (gates,) if isinstance(gates, str) else tuple(gates)
    asked = _Asked(gates, recipe or Recipe(), options or NetOptions(), seed, progress)
    frames = _all_nets(asked, widths, seeds, Path(out))
    if not any(frames["nets"]["converged"]):
        raise ValueError(
            f"none of {len(frames['nets'])} nets learnt {' and '.join(gates)}; "
            "use more epochs, a wider net or a looser loss target"
        )
    return frames


@dataclass(frozen=True)
class _Asked:
    """What decides the numbers of every net, besides its width and seed."""

    gates: tuple[str, ...]
    recipe: "Recipe"
    options: NetOptions
    seed: int
    progress: Progress | None


def _all_nets(asked: _Asked, widths: Sequence[int], seeds: Sequence[int], out: Path) -> Frames:
    """Count every net and write what there is; no summary where no net converged."""
    gates, depth, settings = asked.gates, asked.recipe.depth, settings_columns(asked.options)
    for width in widths if gates else ():
        check_options(asked.options, _layers(gates[0], width, depth))
    out.mkdir(parents=True, exist_ok=True)
    parts: list[Frames] = []
    for width in widths:
        one = replace(asked, recipe=replace(asked.recipe, width=int(width)))
        for at in range(0, len(seeds), CHUNK):
            parts += _chunk(one, seeds[at : at + CHUNK], out)
    if not parts:
        raise ValueError("widths or seeds is empty; give at least one of each")
    frames = _joined(parts)
    clear_tables(out)
    if "counts" in frames:
        frames["summary"] = summarize_counts(frames["counts"], how=bool(settings))
        frames["noise"] = _noise(frames, depth, asked.seed).assign(**settings)
        write_figures(frames, out / "figures")
    for name, frame in frames.items():
        if len(frame):
            frame.to_csv(out / csv_name(name), index=False)
    write_nets_section(frames, gates, out, settings=settings_sentence(asked.options))
    return frames


def _layers(gate: str, width: int, depth: int) -> tuple[int, ...]:
    """Widths of a net that computes one gate."""
    n_inputs = len(truth_table(as_table(gate))).bit_length() - 1
    return (n_inputs, *[int(width)] * depth, 1)


def _noise(frames: Frames, depth: int, seed: int) -> pd.DataFrame:
    """Method noise and true degeneracy of every width; empty where no net had them counted."""
    overlap, found = frames.get("overlap", pd.DataFrame()), frames.get("found", pd.DataFrame())
    if overlap.empty:
        return pd.DataFrame()
    parts = []
    for key, part in overlap.groupby(["width", "gate"], sort=False):
        width, gate = tuple(key)  # pyright: ignore[reportArgumentType]
        ours = found.loc[(found["width"] == width) & (found["gate"] == gate)]
        layers = _layers(str(gate), int(width), depth)
        rng = stream(seed, "identify", "noise", str(width), str(gate))
        parts.append(noise_table(part, ours, layers, rng=rng))
    return pd.concat(parts, ignore_index=True)


def run_paper_tables(
    out: Path | str,
    *,
    seeds: Sequence[int] = range(NetTraining.seeds),
    experiments: Sequence[Experiment] = EXPERIMENTS,
    recipe: "Recipe | None" = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Repeat the paper's experiments with exact counts; one folder each, with resume.

    Follows the setting of arXiv 2502.20914 and its released code; counts are of the whole space
    and of the released code's, side by side. Nets trained with noise are judged on clean inputs.
    `recipe` changes the rest of the training recipe; the loss target is per output. A setting in
    which no net converges stays in the table with 0 nets.
    """
    from circuitvar.audit.identifiability.nets import Recipe

    found = {}
    for experiment in experiments:
        rows = []
        options = NetOptions(ablations=experiment.ablations, deltas=(), samples=experiment.samples)  # type: ignore
        settings = product(experiment.gates, experiment.noise, experiment.loss_targets)
        for gates, noise, target in settings:
            one = replace(recipe or Recipe(), noise=noise, loss_target=target * len(gates))
            name = f"{'+'.join(gates)}-noise{noise:g}-loss{target:g}"
            asked = _Asked(gates, one, options, seed, progress)
            frames = _all_nets(asked, experiment.widths, seeds, Path(out) / experiment.key / name)
            none = pd.DataFrame([{"quantity": "none", "nets": 0}])
            columns = {"gates": " ".join(gates), "noise": noise, "loss_target": target}
            trained = len(frames["nets"])
            rows.append(frames.get("summary", none).assign(**columns, trained=trained))
        found[experiment.key] = pd.concat(rows, ignore_index=True)
        found[experiment.key].to_csv(Path(out) / csv_name(experiment.key), index=False)
    n = len(seeds)
    write_section(
        Path(out),
        kind="identifiability",
        title="Identifiability: experiments of arXiv 2502.20914",
        summary=[
            f"Follows the setting of arXiv 2502.20914 with {n} training seeds per setting.",
            "Every count names its space of circuits; counts of different spaces do not compare.",
        ],
        tables=[SectionTable(csv_name(e.key), e.title) for e in experiments],
    )
    return found


def _chunk(asked: _Asked, seeds: Sequence[int], out: Path) -> list[Frames]:
    gates, recipe, options = asked.gates, asked.recipe, asked.options
    done = 0

    @cache
    def trained() -> "dict[int, TrainedNet]":
        from circuitvar.audit.identifiability.nets import train_nets

        # The whole chunk is trained again: which seeds are missing must not change any net.
        found = train_nets([as_table(g) for g in gates], seeds=list(seeds), recipe=recipe)
        return {one.seed: one for one in found}

    def count(net_seed: int) -> Frames:
        nonlocal done
        rng = stream(asked.seed, "identify", net_seed)
        frames = _one_net(trained()[net_seed], recipe, options, rng)
        done += 1
        if asked.progress:
            asked.progress(f"width {recipe.width}", done, len(seeds))
        return frames

    shared = {"gates": gates, "recipe": asdict(recipe), "options": asdict(options)}
    return [
        kept_tables(out / RUNS, {**shared, "net": int(s), "seed": asked.seed}, partial(count, s))
        for s in seeds
    ]


def _one_net(
    trained: "TrainedNet", recipe: "Recipe", options: NetOptions, rng: np.random.Generator
) -> Frames:
    from circuitvar.audit.identifiability.nets import split_outputs

    ended = ("loss", "accuracy", "epochs", "converged")
    record: dict[str, object] = {"seed": trained.seed, "width": recipe.width}
    record |= {"gates": " ".join(trained.gates), **{k: getattr(trained, k) for k in ended}}
    settings = settings_columns(options)
    frames: dict[str, list[pd.DataFrame]] = {"nets": [pd.DataFrame([record]).assign(**settings)]}
    if trained.converged:
        nets = split_outputs(trained.net)
        for gate, net, child in zip(trained.gates, nets, rng.spawn(len(nets)), strict=True):
            for name, frame in net_tables(net, as_table(gate), options=options, rng=child).items():
                own: dict[str, object] = {"seed": trained.seed, "width": recipe.width, "gate": gate}
                keys = own | {k: v for k, v in settings.items() if k not in frame}
                frames.setdefault(name, []).append(frame.assign(**keys))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def _joined(parts: Sequence[Frames]) -> Frames:
    """One frame per table from those of many nets."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: pd.concat(
            [p[name] for p in parts if name in p and len(p[name])] or [pd.DataFrame()],
            ignore_index=True,
        )
        for name in names
    }
