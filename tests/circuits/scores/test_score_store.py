"""Resumable scoring: what is on disk is used, what is damaged is not."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest

from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import score_store
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.scores.score_store import block_digest, read_block, score_edges_stored
from circuitvar.circuits.types import ScoreOptions
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model

EAP = get_method("eap")


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(score_store, "BLOCK", 3)


def stored(folder, batch=None, method=EAP, **more):
    batch = toy_batch(7) if batch is None else batch
    return score_edges_stored(
        toy_model("gpt2"), batch, method, metric=LOGIT_DIFF, store=folder, **more
    )


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
    with pytest.warns(UserWarning, match="is damaged and is computed again"):
        assert read_block(whole) is None
    with pytest.warns(UserWarning, match="is damaged"):
        again = stored(tmp_path)
    np.testing.assert_array_equal(first.values, again.values)
    assert read_block(whole) is not None


def test_the_name_of_a_block_follows_from_everything():
    model, batch = toy_model("gpt2"), toy_batch(3)
    seen = {block_digest(model, batch, EAP, LOGIT_DIFF, ScoreOptions())}
    seen.add(block_digest(toy_model("llama"), batch, EAP, LOGIT_DIFF, ScoreOptions()))
    seen.add(block_digest(model, toy_batch(3, seed=1), EAP, LOGIT_DIFF, ScoreOptions()))
    seen.add(block_digest(model, batch, get_method("exact"), LOGIT_DIFF, ScoreOptions()))
    seen.add(block_digest(model, batch, EAP, LOGIT_DIFF, ScoreOptions(steps=6)))
    seen.add(block_digest(model, batch, EAP, LOGIT_DIFF, ScoreOptions(), "other data"))
    assert len(seen) == 6
    assert block_digest(model, batch, EAP, LOGIT_DIFF, ScoreOptions()) in seen


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
    assert all(read_block(path) is not None for path in files)


def test_a_large_matrix_is_mapped_and_leaves_no_file(tmp_path, monkeypatch):
    whole = stored(tmp_path)
    monkeypatch.setattr(score_store, "ON_DISK", 0)
    mapped = stored(tmp_path)
    assert isinstance(mapped.values, np.memmap)
    np.testing.assert_array_equal(mapped.values, whole.values)
    assert not list(tmp_path.glob(".matrix*"))
