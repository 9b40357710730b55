"""What is stored is tied to what a function computes, not to its name."""

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache, partial, wraps
from types import ModuleType

import numpy as np
import pytest
import torch

import circuitvar as cv
from circuitvar.circuits.code_digest import code_digest
from circuitvar.circuits.items import item_name
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores.provenance import scoring_identity
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import Method, ScoreOptions
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model

BODY = '''"""Own method."""
import numpy as np
import own_digest_helper
from own_digest_helper import SCALE

NAMES = {"a", "b", "c"}

def m(model, batch, *, metric, options):
    import own_digest_late
    kept = frozenset(("x", "y", "z"))
    return SCALE * own_digest_helper.ones(len(batch), model.graph.n_edges) * (VALUE + len(kept))
'''
HELPER = "import numpy as np\nSCALE = 1.0\ndef ones(n, k):\n    return np.ones((n, k))\n"
MODULES = ("own_digest_method", "own_digest_helper", "own_digest_late")


def write(folder, value="2", helper=HELPER, late="X = 1\n"):
    texts = (BODY.replace("VALUE", value), helper, late)
    for name, text in zip(MODULES, texts, strict=True):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


def own() -> Method:
    """The method as another process would import it."""
    for name in MODULES:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return get_method("own_digest_method:m")


def stored(folder, method):
    return score_edges(
        toy_model("gpt2").keeping(folder / "store"), toy_batch(4), method, metric=LOGIT_DIFF
    ).values


def test_an_edited_method_is_scored_anew(folder):
    write(folder)
    assert (stored(folder, own()) == 5).all()
    assert (stored(folder, own()) == 5).all()
    assert len(list((folder / "store").iterdir())) == 1
    write(folder, value="7")
    assert (stored(folder, own()) == 10).all()
    write(folder)
    assert (stored(folder, own()) == 5).all(), "the old blocks stay"
    assert len(list((folder / "store").iterdir())) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"value": "3"},
        {"helper": HELPER.replace("1.0", "2.0")},
        {"helper": HELPER.replace("np.ones", "np.zeros")},
        {"late": "X = 2\n"},
    ],
    ids=["body", "imported value", "imported function", "import inside the body"],
)
def test_the_digest_follows_the_users_own_files(folder, change):
    write(folder)
    first = code_digest(own().fn)
    assert code_digest(own().fn) == first
    write(folder, **change)
    assert code_digest(own().fn) != first


def test_two_processes_agree(folder):
    write(folder)
    program = (
        "from circuitvar.circuits.methods.catalog import get_method\n"
        "from circuitvar.circuits.code_digest import code_digest\n"
        "print(code_digest(get_method('own_digest_method:m').fn))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "3", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == code_digest(own().fn)


def typed_in(text: str, name: str = "f"):
    """A function without a file, as in a notebook."""
    space: dict = {"__name__": "__main__", "np": np, "torch": torch}
    exec(text, space)
    return space[name]


@pytest.mark.parametrize(
    "other",
    [
        "def f(x): return x + 2",
        "def f(x, a=1): return x + 1",
        "def f(x): return (lambda y: y + 3)(x)",
        "def f(x): return x + A\nA = 1",
        "def f(x): return x + A\nA = 2",
        "def f(x): return x + A\nA = np.int64(1)",
        "def f(x): return x + A[0]\nA = [1]",
        "def f(x): return x + A[0]\nA = np.arange(2)",
        "def f(x): return x + A[0]\nA = torch.arange(2)",
        "def f(x): return g(x)\ndef g(x): return x",
        "def f(x): return g(x)\ndef g(x): return -x",
        "def f(x): return x in {'p', 'q', 'r', 's'}",
        "def f(x): return A(x)\nA = torch.relu",
        "def f(x): return A(x)\nA = torch.tanh",
        "def f(x): return A(x)\nA = np.exp",
        "def f(x): return A(x)\nA = np.sin",
        "class A:\n  def g(self): return 1\ndef f(x): return a.g()\na = A()\na.k = 1",
        "class A:\n  def g(self): return 1\ndef f(x): return a.g()\na = A()\na.k = 2",
    ],
)
def test_functions_without_a_file_are_their_bytecode_and_what_they_hold(other):
    assert code_digest(typed_in(other)) == code_digest(typed_in(other))
    assert code_digest(typed_in(other)) != code_digest(typed_in("def f(x): return x + 1"))
    SEEN.setdefault(code_digest(typed_in(other)), other)
    assert SEEN[code_digest(typed_in(other))] == other, "two functions share a digest"


SEEN: dict[str, str] = {}


def made(a, inner=None):
    @wraps(made)
    def f(x):
        return a if inner is None else inner(x)

    return f


def test_what_a_function_holds_counts():
    values = [made(1), made(2), made([1, 2]), made({"k": 1}), made({1, 2}), made(None, made(1))]
    values += [partial(made, 1), partial(made, 2), lru_cache(made), made(made), made(range(3))]
    linear = torch.nn.Linear(2, 2)
    values.append(made(linear))
    assert len({code_digest(v) for v in values}) == len(values)
    before = code_digest(made(linear))
    with torch.no_grad():
        linear.weight += 1
    assert code_digest(made(linear)) != before
    loop: list = [1]
    loop.append(loop)
    assert code_digest(made(loop)) == code_digest(made(loop))


def test_the_name_of_a_block_follows_from_method_and_metric():
    model, batch, options = toy_model("gpt2"), toy_batch(3), ScoreOptions()
    eap = get_method("eap")
    seen = {
        item_name(scoring_identity(model, batch, replace(eap, fn=fn), metric, options))
        for fn in (eap.fn, made(1), made(2))
        for metric in (LOGIT_DIFF, replace(LOGIT_DIFF, fn=made(3)))
    }
    assert len(seen) == 6


def test_another_function_is_the_one_that_scores():
    def mine(model, batch, *, metric, options):
        return np.full((len(batch), model.graph.n_edges), 7.0)

    method = replace(get_method("eap"), fn=mine)
    scores = score_edges(toy_model("gpt2"), toy_batch(2), method, metric=LOGIT_DIFF)
    assert (scores.values == 7).all()


SESSION = """
class Mine:
    def __call__(self, x):
        return x * FACTOR

    @staticmethod
    def scale(x):
        return FACTOR * x


class Slotted:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a

    def __call__(self, x):
        return x * self.a
"""


def test_classes_of_a_notebook_count_by_what_they_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))

    def made(factor):
        space = {"__name__": "__main__"}
        exec(SESSION.replace("FACTOR", factor), space)
        return space

    one, same, other = made("1.0"), made("1.0"), made("5.0")
    mine = [code_digest(space["Mine"]()) for space in (one, same, other)]
    assert mine[0] == mine[1] != mine[2]
    assert code_digest(one["Slotted"](1.0)) != code_digest(one["Slotted"](5.0))
    assert code_digest(one["Slotted"](1.0)) == code_digest(same["Slotted"](1.0))


def test_values_that_a_file_imports_from_another_count(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    found = []
    for value in ("1.0", "5.0"):
        (tmp_path / "digest_consts.py").write_text(f"POWER = [{value}]\n")
        (tmp_path / "digest_uses.py").write_text(
            "from digest_consts import POWER\ndef fn(x):\n    return x * POWER[0]\n"
        )
        for name in ("digest_consts", "digest_uses"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        found.append(code_digest(importlib.import_module("digest_uses").fn))
    assert found[0] != found[1]


def test_tensors_of_every_layout_have_a_digest():
    dense = torch.eye(3)
    kinds = [dense.to_sparse(), torch.conj(dense.to(torch.complex64)), dense.to("meta")]
    assert len({code_digest(partial(print, kind)) for kind in kinds}) == 3


def test_what_is_named_through_the_front_door_counts(monkeypatch):
    module = importlib.import_module("circuitvar.circuits.code_digest")
    text = module._text

    def own(model, batch, *, metric, options):
        return cv.methods.eap(model, batch, metric=metric, options=options)

    def digest_without(name):
        monkeypatch.setattr(module, "_text", lambda m: b"" if m.__name__ == name else text(m))
        return code_digest(own)

    gradient = "circuitvar.circuits.methods.gradient"
    before = digest_without("")
    assert digest_without(f"{gradient}.relp") == before
    assert digest_without(f"{gradient}.eap") != before
