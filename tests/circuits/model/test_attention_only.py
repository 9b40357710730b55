"""Attention-only models of TransformerLens: the same function, and clear refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.model.attention_only import build, is_attention_only
from circuitvar.reports.circuits.run_published import run_published
from circuitvar.reports.options import CircuitChoice, ModelChoice, PublishedOptions
from circuitvar.tasks.language.docstring import DOCSTRING
from tests.tasks.toy_tokenizers import byte_tokenizer

CONFIG = {
    "n_layers": 2,
    "n_heads": 3,
    "d_model": 12,
    "d_head": 4,
    "d_vocab": 20,
    "n_ctx": 9,
    "attn_only": True,
    "normalization_type": "LN",
    "eps": 1e-5,
}


def weights(config: dict, *, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tensors under TransformerLens' names, with the constants it also saves."""
    draw = torch.Generator().manual_seed(seed)
    heads, width, inner = config["n_heads"], config["d_model"], config["d_head"]
    vocab = config["d_vocab"]
    state = {"embed.W_E": (vocab, width), "pos_embed.W_pos": (config["n_ctx"], width)}
    norms = [f"blocks.{layer}.ln1" for layer in range(config["n_layers"])] + ["ln_final"]
    if config["normalization_type"] == "LN":
        state |= {f"{norm}.{part}": (width,) for norm in norms for part in "wb"}
    for layer in range(config["n_layers"]):
        at = f"blocks.{layer}.attn."
        state |= {f"{at}W_{slot}": (heads, width, inner) for slot in "QKV"}
        state |= {f"{at}b_{slot}": (heads, inner) for slot in "QKV"}
        state |= {f"{at}W_O": (heads, inner, width), f"{at}b_O": (width,)}
    state |= {"unembed.W_U": (width, vocab), "unembed.b_U": (vocab,)}
    found = {key: torch.randn(shape, generator=draw) for key, shape in state.items()}
    for layer in range(config["n_layers"]):
        found[f"blocks.{layer}.attn.mask"] = torch.ones(config["n_ctx"], config["n_ctx"]).tril()
        found[f"blocks.{layer}.attn.IGNORE"] = torch.tensor(-1e5)
    return found


def by_hand(config: dict, state: dict[str, torch.Tensor], tokens: list[int]) -> np.ndarray:
    """Logits [pos, vocab] by the formulas of an attention-only transformer, one head at a time."""
    s = {key: tensor.double().numpy() for key, tensor in state.items()}

    def norm(x: np.ndarray, key: str) -> np.ndarray:
        if config["normalization_type"] is None:
            return x
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + config["eps"])
        return x * s.get(f"{key}.w", 1.0) + s.get(f"{key}.b", 0.0)

    n = len(tokens)
    x = s["embed.W_E"][tokens] + s["pos_embed.W_pos"][:n]
    for layer in range(config["n_layers"]):
        at, read = f"blocks.{layer}.attn.", norm(x, f"blocks.{layer}.ln1")
        x = x + s[f"{at}b_O"]
        for head in range(config["n_heads"]):
            q, k, v = (read @ s[f"{at}W_{slot}"][head] + s[f"{at}b_{slot}"][head] for slot in "QKV")
            scores = q @ k.T / np.sqrt(config["d_head"])
            scores[~np.tri(n, dtype=bool)] = -np.inf
            pattern = np.exp(scores - scores.max(-1, keepdims=True))
            pattern /= pattern.sum(-1, keepdims=True)
            x = x + pattern @ v @ s[f"{at}W_O"][head]
    return norm(x, "ln_final") @ s["unembed.W_U"] + s["unembed.b_U"]


def save(folder: Path, config: dict, state: dict[str, torch.Tensor]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(state, folder / "model_final.pth")
    return str(folder)


@pytest.mark.parametrize("norm", ["LN", "LNPre", None])
def test_the_loaded_model_computes_what_was_saved(tmp_path, norm):
    config = CONFIG | {"normalization_type": norm}
    state = weights(config)
    model = load_model(save(tmp_path / "m", config, state))
    assert model.tokenizer is None
    assert (model.graph.n_layers, model.graph.n_heads, model.graph.has_mlp) == (2, 3, False)
    tokens = [3, 1, 19, 0, 7]
    with torch.no_grad():
        logits = model.hf(torch.tensor([tokens])).logits[0].numpy()
    np.testing.assert_allclose(logits, by_hand(config, state, tokens), rtol=1e-4, atol=1e-4)


def test_biases_that_were_folded_away_are_zero():
    state = weights(CONFIG)
    without = {key: tensor for key, tensor in state.items() if ".b_" not in key}
    zeros = {key: torch.zeros_like(t) if ".b_" in key else t for key, t in state.items()}
    hf = build(CONFIG, without, "m")
    with torch.no_grad():
        logits = hf(torch.tensor([[4, 5, 6]])).logits[0].numpy()
    np.testing.assert_allclose(logits, by_hand(CONFIG, zeros, [4, 5, 6]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attn_only": False}, "attn_only = False; only True can be loaded"),
        ({"positional_embedding_type": "shortformer"}, "positional_embedding_type = 'shortformer'"),
        ({"normalization_type": "RMS"}, "only LN or LNPre or None can be loaded"),
        ({"d_head": 5}, "d_head = 5; only 4.0 can be loaded"),
    ],
)
def test_what_gpt2_does_not_compute_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        build(CONFIG | change, weights(CONFIG), "m")


def test_missing_misshapen_and_unknown_tensors_are_named(tmp_path):
    state = weights(CONFIG)
    cases = (
        ({k: v for k, v in state.items() if k != "embed.W_E"}, "lack 'embed.W_E'"),
        (state | {"ln_final.w": torch.ones(3)}, r"'ln_final.w' of 'm' has shape \(3,\).*\(12,\)"),
        (state | {"blocks.0.mlp.W_in": torch.ones(3)}, "hold 1 tensors.*'blocks.0.mlp.W_in'"),
    )
    for wrong, message in cases:
        with pytest.raises(ValueError, match=message):
            build(CONFIG, wrong, "m")
    with pytest.raises(ValueError, match="lacks n_ctx"):
        build({k: v for k, v in CONFIG.items() if k != "n_ctx"}, state, "m")
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ValueError, match=r"holds 0 files named \*final.pth"):
        load_model(str(folder))


def test_short_names_are_known_and_need_the_hub():
    assert is_attention_only("attn-only-4l")
    assert is_attention_only("NeelNanda/Attn_Only_4L512W_C4_Code")
    assert not is_attention_only("gpt2")
    with pytest.raises(ValueError, match="was not found on the Hugging Face hub or in its local"):
        load_model("attn-only-4l")


def test_a_tokenizer_that_is_only_named_needs_the_hub(tmp_path):
    config = CONFIG | {"tokenizer_name": "someone/some-tokenizer"}
    with pytest.raises(ValueError, match="the tokenizer 'someone/some-tokenizer' was not found"):
        load_model(save(tmp_path / "m", config, weights(config)))


def test_the_docstring_circuit_is_audited_on_such_a_model(tmp_path):
    texts = [pair.clean for pair in DOCSTRING.sample(200, rng=np.random.default_rng(0))]
    tokenizer = byte_tokenizer(texts, vocab_size=1500)
    config = CONFIG | {
        "n_layers": 4,
        "n_heads": 8,
        "d_model": 16,
        "d_head": 2,
        "n_ctx": 120,
        "d_vocab": len(tokenizer),
    }
    folder = save(tmp_path / "m", config, weights(config))
    tokenizer.save_pretrained(folder)
    # Random weights: only that everything runs, and on the published edges, is checked.
    found = run_published(
        "docstring-attn-only-4l",
        where=ModelChoice(str(folder)),
        of=CircuitChoice(allow_weak=True),
        options=PublishedOptions(n=6, draws=5, methods=("eap",)),
        out=tmp_path / "o",
    )
    assert found.circuit.size == 24
    conditions = found.tables["conditions"]
    assert {"as published", "corruption random-def"} <= set(conditions["condition"])
    assert np.isfinite(conditions["metric_full"]).all()
