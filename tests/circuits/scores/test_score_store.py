"""Resumable scoring: what is on disk is used, what is damaged is not."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest

from circuitvar.circuits.items import inspect_item
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import score
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import ScoreOptions
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model

EAP = get_method("eap")


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(score, "BLOCK", 3)


def stored(folder, batch=None, method=EAP, **more):
    batch = toy_batch(7) if batch is None else batch
    return score_edges(toy_model("gpt2").keeping(folder), batch, method, metric=LOGIT_DIFF, **more)


@pytest.mark.parametrize("ablation", ["patching", "mean"])
def test_blocks_give_the_scores_of_one_run(tmp_path, ablation):
    options, seen = ScoreOptions(ablation=ablation), []
    ours = stored(tmp_path, options=options, progress=lambda *at: seen.append(at))
    whole = score_edges(toy_model("gpt2"), toy_batch(7), EAP, metric=LOGIT_DIFF, options=options)
    np.testing.assert_allclose(ours.values, whole.values, atol=1e-5)
    np.testing.assert_allclose(ours.metric_corrupt, whole.metric_corrupt, atol=1e-5)
    assert seen == [(3, 7), (6, 7), (7, 7)]
    assert ours.provenance == whole.provenance


HELD = {}
"""What a module's dicts hold later is no part of what its methods compute."""


class Calls:
    def __init__(self, stop_at=None):
        self.seen, self.stop_at = [], stop_at


def counted(calls):
    HELD["calls"] = calls

    def fn(model, batch, *, metric, options):
        calls = HELD["calls"]
        if len(calls.seen) == calls.stop_at:
            raise KeyboardInterrupt
        calls.seen.append(len(batch))
        return EAP.fn(model, batch, metric=metric, options=options)

    return replace(EAP, fn=fn)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    calls = Calls(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        stored(tmp_path, method=counted(calls))
    assert calls.seen == [3, 3]
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors"}
    calls.stop_at = None
    first = stored(tmp_path, method=counted(calls))
    assert calls.seen == [3, 3, 1]
    again = stored(tmp_path, method=counted(calls))
    assert calls.seen == [3, 3, 1]
    np.testing.assert_array_equal(first.values, again.values)


def test_damaged_blocks_are_noticed_and_computed_again(tmp_path):
    first = stored(tmp_path)
    whole, short = sorted(tmp_path.glob("*.safetensors"))[:2]
    data = bytearray(whole.read_bytes())
    data[-5] ^= 255
    whole.write_bytes(bytes(data))
    short.write_bytes(short.read_bytes()[:40])
    assert inspect_item(whole) == inspect_item(short) == "is damaged"
    with pytest.warns(UserWarning, match="is damaged and is computed again"):
        again = stored(tmp_path)
    np.testing.assert_array_equal(first.values, again.values)
    assert not isinstance(inspect_item(whole), str)


def test_the_name_of_a_block_follows_from_everything(tmp_path):
    mean = ScoreOptions(ablation="mean")

    def names(model="gpt2", batch=None, method=EAP, metric=LOGIT_DIFF, options=None):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        batch = toy_batch(3) if batch is None else batch
        score_edges(toy_model(model).keeping(folder), batch, method, metric=metric, options=options)
        return frozenset(path.name for path in folder.iterdir())

    seen = [
        names(),
        names("llama"),
        names(batch=toy_batch(3, seed=1)),
        names(method=get_method("exact")),
        names(options=ScoreOptions(steps=6)),
        names(metric=replace(LOGIT_DIFF, fn=lambda *given: LOGIT_DIFF.fn(*given))),
    ]
    assert len(set(seen)) == 6
    assert names() == seen[0]
    # The first block of a mean ablation follows from the other prompts too.
    assert not names(options=mean, batch=toy_batch(4)) & names(options=mean, batch=toy_batch(5))


def test_a_block_copied_over_another_is_not_believed(tmp_path):
    first = stored(tmp_path)
    one, other = sorted(tmp_path.glob("*.safetensors"))[:2]
    other.write_bytes(one.read_bytes())
    with pytest.warns(UserWarning, match="holds another item than its name says"):
        again = stored(tmp_path)
    np.testing.assert_array_equal(first.values, again.values)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_two_processes_on_one_store(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=stored, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    assert not any(isinstance(inspect_item(path), str) for path in files)


def test_a_large_matrix_is_mapped_and_leaves_no_file(tmp_path, monkeypatch):
    whole = stored(tmp_path)
    monkeypatch.setattr(score, "ON_DISK", 0)
    mapped = stored(tmp_path)
    assert isinstance(mapped.values, np.memmap)
    np.testing.assert_array_equal(mapped.values, whole.values)
    assert not list(tmp_path.glob(".matrix*"))
