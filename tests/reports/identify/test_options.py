"""Criterion, ablation and estimator through the command: the counts Python gives, kept apart."""

from dataclasses import asdict

import pandas as pd
import pytest

from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.count.strict_valid import list_strict
from circuitvar.audit.identifiability.nets.question import pose
from circuitvar.audit.identifiability.nets.train import Recipe, train_nets
from circuitvar.audit.identifiability.nets.types import Criterion
from circuitvar.circuits.items import item_name
from circuitvar.reports.identify.settings import net_options, settings_columns
from circuitvar.reports.identify.small_nets import run_identify
from circuitvar.reports.page.section_file import read_section
from tests.reports.commands.toy_commands import run

RECIPE = Recipe(width=2, depth=1, loss_target=0.05)


def count(monkeypatch, capsys, out, *more: str) -> pd.DataFrame:
    """Rows about valid circuits of two small nets, the whole space."""
    code, _, err = run(
        monkeypatch, capsys, "identify", "0001", "--width", "2", "--depth", "1",
        "--loss-target", "0.05", "--seeds", "2", "--out", str(out), "--quiet", *more,
    )  # fmt: skip
    assert code == 0, err
    counts = pd.read_csv(out / "identifiability_counts.csv")
    return counts[(counts["quantity"] == "valid circuits") & (counts["space"] == "whole")]


@pytest.mark.parametrize(
    ("more", "criterion"),
    [
        ((), Criterion()),
        (("--criterion", "label"), Criterion()),
        (("--criterion", "threshold"), Criterion("threshold")),
        (("--criterion", "delta", "--delta", "0.5"), Criterion("delta", 0.5)),
    ],
)
def test_the_command_counts_what_python_counts(monkeypatch, capsys, tmp_path, more, criterion):
    found = count(monkeypatch, capsys, tmp_path, *more)
    assert list(dict.fromkeys(found["ablation"])) == ["zero", "mean", "interchange"]
    assert set(found["criterion"]) == {criterion.title} and set(found["known"]) == {"exact"}
    for net in train_nets([[0, 0, 0, 1]], seeds=range(2), recipe=RECIPE):
        for row in found[found["seed"] == net.seed].to_dict("records"):
            question = pose(net.net, [0, 0, 0, 1], criterion=criterion, ablation=row["ablation"])
            assert row["value"] == count_valid(question).count().value


def test_interventions_through_the_command(monkeypatch, capsys, tmp_path):
    found = count(monkeypatch, capsys, tmp_path, "--criterion", "iia", "--ablation", "mean")
    assert set(found["criterion"]) == {"label, IIA 1"} and set(found["ablation"]) == {"mean"}
    for net in train_nets([[0, 0, 0, 1]], seeds=range(2), recipe=RECIPE):
        listed = list_strict(pose(net.net, [0, 0, 0, 1], ablation="mean"))
        assert listed is not None
        assert found.set_index("seed")["value"][net.seed] == len(listed)


def test_other_settings_in_a_folder_are_kept_apart(monkeypatch, capsys, tmp_path):
    first = count(monkeypatch, capsys, tmp_path)
    before = {p.name for p in (tmp_path / "runs").iterdir()}
    drawn = count(
        monkeypatch, capsys, tmp_path, "--estimator", "monte-carlo", "--draws", "500",
        "--ablation", "zero",
    )  # fmt: skip
    assert before < {p.name for p in (tmp_path / "runs").iterdir()}
    assert set(drawn["known"]) == {"estimate"} and set(drawn["n"]) == {500}
    assert set(drawn["how"]) == {"Monte Carlo, Wilson interval"}
    # Nothing of the exact run is left to be shown next to estimates.
    assert not (tmp_path / "identifiability_edges.csv").exists()
    section = read_section(tmp_path)
    assert "figures/edge_marginals.svg" not in {f.file for f in section.figures}
    said = "estimator monte-carlo (500 draws where it samples)."
    assert said in section.summary[-1]
    assert all(said in figure.caption for figure in section.figures)
    summary = pd.read_csv(tmp_path / "identifiability_summary.csv")
    assert "Monte Carlo, Wilson interval" in set(summary["how"])
    nets = pd.read_csv(tmp_path / "identifiability_nets.csv")
    assert set(nets["criterion"]) == {"label"} and set(nets["estimator"]) == {"monte-carlo"}
    pd.testing.assert_frame_equal(count(monkeypatch, capsys, tmp_path), first)


def test_each_setting_has_its_own_item():
    settings = [
        net_options(),
        net_options(criterion="threshold"),
        net_options(criterion="delta", delta=0.1),
        net_options(criterion="delta", delta=0.2),
        net_options(ablations=["zero", "mean"]),
        net_options(criterion="iia"),
        net_options(estimator="strata"),
        net_options(draws=7),
    ]
    names = [item_name(asdict(options)) for options in settings]
    assert len(set(names)) == len(names)
    assert settings_columns(settings[0]) == {}
    assert settings_columns(settings[5]) == {"criterion": "label, IIA 1", "estimator": "auto"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("xor", "--criterion", "near"),
            "unknown criterion 'near'; choose one of label, threshold",
        ),
        (("xor", "--ablation", "patching"), "unknown ablation 'patching'; choose one of zero"),
        (("xor", "--estimator", "guess"), "unknown estimator 'guess'; choose one of auto"),
        (("xor", "--criterion", "delta"), "--criterion delta and --delta go together"),
        (("xor", "--delta", "0.1"), "--criterion delta and --delta go together"),
        (("xor", "--criterion", "delta", "--delta=-1"), "delta must be 0 or more; got -1"),
        (("xor", "--draws", "0"), "need at least 1 draw; got 0"),
        (
            ("xor", "--criterion", "iia", "--ablation", "interchange"),
            "criterion iia builds its own interchanges; use zero or mean ablation",
        ),
        (
            ("xor", "--criterion", "iia", "--estimator", "splitting"),
            "criterion iia cannot be counted by splitting",
        ),
        (("xor", "--width", "6", "--estimator", "exact"), "too many to count exactly"),
        (("--paper-tables", "--criterion", "label"), "--criterion needs gates"),
        (("--paper-tables", "--estimator", "strata"), "--estimator needs gates"),
        (("--model", "pocket", "--ablation", "mean"), "--ablation needs gates"),
        (("--model", "pocket", "--delta", "0"), "--delta needs gates"),
    ],
)
def test_what_is_not_defined_is_one_sentence(monkeypatch, capsys, tmp_path, arguments, message):
    code, _, err = run(monkeypatch, capsys, "identify", *arguments, "--out", str(tmp_path / "x"))
    assert code == 2 and message in err and "Traceback" not in err
    assert not (tmp_path / "x").exists()


def test_wide_nets_by_strata_have_a_lower_bound(tmp_path):
    frames = run_identify(
        "or", widths=(6,), seeds=[0], out=tmp_path, recipe=Recipe(learning_rate=1e-2),
        options=net_options(ablations=["zero"], estimator="strata", draws=1_000),
    )  # fmt: skip
    counts = frames["counts"].set_index(["quantity", "space"])
    found = counts.loc[("valid circuits", "whole")]
    bound = counts.loc[("valid circuits, at least", "whole")]
    assert (found["known"], bound["known"]) == ("estimate", "lower bound")
    assert bound["value"] <= found["low"] <= found["value"] <= found["high"]
