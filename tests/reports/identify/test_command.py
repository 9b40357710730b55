"""The driver: files, resume, both spaces side by side, errors."""

import pandas as pd
import pytest

from circuitvar.audit.identifiability.count.estimators import NetOptions
from circuitvar.audit.identifiability.nets.train import Recipe
from circuitvar.audit.identifiability.tables import net_tables, summarize_counts
from circuitvar.audit.streams import stream
from circuitvar.reports.identify import small_nets
from circuitvar.reports.identify.small_nets import (
    EXPERIMENTS,
    Experiment,
    experiments_called,
    run_identify,
    run_paper_tables,
)
from circuitvar.reports.page.section_file import SectionTable, read_section
from tests.audit.identifiability.toy_identifiability import GOLDEN, golden_net

FAST = Recipe(learning_rate=1e-2)
SMALL = NetOptions(ablations=("zero", "mean"), deltas=(0.01, 0.1), samples=50)


def test_a_net_reports_every_space_and_how_each_number_is_known():
    frames = net_tables(golden_net("k3_s0"), "xor", options=SMALL, rng=stream(0, "test"))
    counts = frames["counts"].query("ablation == 'zero' and criterion == 'label'")
    valid = counts[counts["quantity"] == "valid circuits"].set_index("space")["value"]
    assert valid.to_dict() == {"whole": 120, "node rule": 15, "paper": 15}
    assert set(frames["counts"]["known"]) <= {"exact", "estimate", "lower bound"}
    opened = counts[counts["quantity"] == "interpretations (open)"].set_index("space")["value"]
    assert opened["paper"] == GOLDEN["nets"]["k3_s0"]["interpretations"]["peer_node_rule"]["open"]
    both = frames["counts"].query("ablation == 'zero and mean'")["value"].tolist()
    assert both == [104]
    assert frames["edges"].groupby("ablation").size().to_dict() == {"zero": 18, "mean": 18}
    assert frames["sizes"].query("space == 'whole' and ablation == 'zero'")["valid"].sum() == 120


def test_wide_nets_are_estimated_and_say_so():
    from tests.audit.identifiability.toy_identifiability import random_net

    options = NetOptions(ablations=("zero",), deltas=(0.5,), mappings=False, draws=2_000)
    frames = net_tables(random_net((2, 6, 6, 1), 0), "xor", options=options, rng=stream(0, "w"))
    assert set(frames["counts"]["known"]) == {"estimate"}
    assert set(frames["tolerance"]["known"]) == {"estimate"}


def test_deep_nets_are_counted_where_that_is_possible():
    from tests.audit.identifiability.toy_identifiability import random_net

    options = NetOptions(ablations=("zero",), deltas=(), samples=0, draws=2_000)
    deep = net_tables(random_net((2, 2, 2, 2, 1), 0), "xor", options=options, rng=stream(0, "d"))
    assert set(deep["counts"]["known"]) == {"exact"}
    tested = deep["counts"].query("quantity == 'algorithms tested'").set_index("criterion")
    assert tested.loc["IIA 1, paper", ["value", "how"]].tolist() == [
        56, "enumerated, trees up to height 3",
    ]  # fmt: skip
    # 2e11 topologies: more than can be counted one prefix at a time.
    wide = net_tables(
        random_net((2, 4, 4, 4, 1), 0), "xor",
        options=NetOptions(ablations=("zero",), deltas=(), mappings=False, draws=2_000),
        rng=stream(0, "w"),
    )  # fmt: skip
    assert set(wide["counts"]["known"]) == {"estimate"}


def test_run_writes_tables_and_figures_and_resumes(tmp_path, monkeypatch):
    def run():
        return run_identify(
            "xor", widths=(2,), seeds=range(4), out=tmp_path, recipe=FAST, options=SMALL
        )

    first = run()
    names = {
        "nets", "counts", "tolerance", "sizes", "edges", "overlap", "found", "noise", "summary",
    }  # fmt: skip
    assert {f"identifiability_{n}" for n in names} <= {p.stem for p in tmp_path.glob("*.csv")}
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"counts_by_width.svg", "tolerance.svg", "edge_marginals.svg", "overlap.png"} <= drawn
    assert len(list((tmp_path / "runs").glob("*.safetensors"))) == 4

    section = read_section(tmp_path)
    assert {t.file for t in section.tables} == {f"identifiability_{n}.csv" for n in names}
    assert {f.file for f in section.figures} == {f"figures/{n}" for n in drawn if n[-4:] == ".svg"}
    text = " ".join(section.summary)
    assert "in the released code's (exact; zero ablation, label criterion)" in text
    assert "method noise is" in text and "true degeneracy is" in text
    noise = first["noise"].query("ablation == 'zero'").set_index("source")["value"]
    assert {"edge orders", "batches", "training seeds", "exact uniform samples"} <= set(noise.index)

    stored = {path: path.read_bytes() for path in (tmp_path / "runs").iterdir()}
    missing = sorted(stored)[0]
    missing.unlink()
    calls = []
    one_net = small_nets._one_net
    monkeypatch.setattr(small_nets, "_one_net", lambda *args: calls.append(1) or one_net(*args))
    second = run()
    assert len(calls) == 1
    assert {path: path.read_bytes() for path in (tmp_path / "runs").iterdir()} == stored
    for name in names:
        pd.testing.assert_frame_equal(first[name], second[name])


def test_paper_tables_keep_settings_apart(tmp_path):
    tiny = Experiment("tasks", "two gates", gates=(("and",), ("and", "or")), widths=(2,))
    found = run_paper_tables(tmp_path, seeds=range(1), experiments=(tiny,), recipe=FAST)
    frame = found["tasks"]
    assert set(frame["gates"]) == {"and", "and or"}
    assert {"whole", "paper"} <= set(frame["space"])
    one = tmp_path / "tasks" / "and-noise0-loss0.01"
    # Overlaps were not asked for: no empty table.
    assert not (one / "identifiability_overlap.csv").exists()
    for table in read_section(one).tables:
        assert len(pd.read_csv(one / table.file))
    assert read_section(tmp_path).tables == (
        SectionTable("identifiability_tasks.csv", "two gates"),
    )


def test_a_setting_that_no_net_meets_stays_in_the_table(tmp_path):
    hopeless = Experiment("loss", "too strict", loss_targets=(1e-30,), gates=(("and",),))
    frame = run_paper_tables(tmp_path, seeds=[0], experiments=(hopeless,), recipe=Recipe(epochs=1))[
        "loss"
    ]
    assert frame["nets"].tolist() == [0] and frame["trained"].tolist() == [1]


def test_no_net_that_learns_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"none of 2 nets learnt xor; use more epochs"):
        run_identify("xor", seeds=range(2), out=tmp_path, recipe=Recipe(epochs=1), options=SMALL)


def test_summary_by_hand():
    one = {"width": 3, "gate": "xor", "quantity": "q", "criterion": "label", "ablation": "zero",
           "space": "whole"}  # fmt: skip
    frame = pd.DataFrame(
        [{**one, "value": v, "known": k} for v, k in ((0, "exact"), (1, "exact"), (5, "estimate"))]
    )
    row = summarize_counts(frame).iloc[0]
    assert (row["median"], row["mean"], row["none"], row["unique"]) == (1, 2, 1 / 3, 1 / 3)
    assert row["known"] == "estimate"
    assert pd.isna(row["median_low"])


def test_paper_tables_by_name():
    assert len(experiments_called([])) == len(EXPERIMENTS)
    assert [e.key for e in experiments_called(["noise", "basic"])] == ["basic", "noise"]
    with pytest.raises(ValueError, match=r"unknown table 'depth'; choose one of basic, width"):
        experiments_called(["depth"])


def test_an_interrupted_table_goes_on_to_the_same_result(tmp_path, monkeypatch):
    """Stopped inside the second net, then run again: the same files as in one go."""
    tiny = Experiment("gate", "gates", gates=(("and",),), widths=(2,), samples=20)

    def run(folder):
        return run_paper_tables(folder, seeds=range(3), experiments=(tiny,), recipe=FAST)

    one_net = small_nets._one_net
    calls = []

    def stop(*args):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(1)
        return one_net(*args)

    monkeypatch.setattr(small_nets, "_one_net", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped")
    assert len(list((tmp_path / "stopped").rglob("runs/*.safetensors"))) == 1
    monkeypatch.setattr(small_nets, "_one_net", one_net)
    run(tmp_path / "stopped")
    run(tmp_path / "whole")
    tables = sorted((tmp_path / "whole").rglob("*.csv")) + sorted(
        (tmp_path / "whole").rglob("*.safetensors")
    )
    assert len(tables) >= 12
    for path in tables:
        again = tmp_path / "stopped" / path.relative_to(tmp_path / "whole")
        assert again.read_bytes() == path.read_bytes()


def test_gates_may_be_truth_tables_in_digits(tmp_path):
    frames = run_identify(
        ("0001", "or"), widths=(2,), seeds=range(2), out=tmp_path, recipe=FAST,
        options=NetOptions(ablations=("zero",), deltas=(), samples=20),
    )  # fmt: skip
    assert set(frames["nets"]["gates"]) == {"0001 or"}
    assert set(frames["counts"]["gate"]) == {"0001", "or"}
    with pytest.raises(ValueError, match="only 0 and 1"):
        run_identify("0120", seeds=[0], out=tmp_path)
