"""Karlo's prior: a tiny random PriorTransformer of diffusers', and the same tensors under Karlo's own names."""

import re

import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.karlo import STATISTICS
from styleT2I.formats.foreign.registry import read_network
from styleT2I.networks.registry import load_network

NUM_TOKENS, EMBED_DIM, NUM_HEADS, HEAD_WIDTH = 5, 12, 2, 64


@pytest.fixture(scope="module")
def theirs():
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    prior = diffusers.PriorTransformer(
        num_attention_heads=NUM_HEADS, attention_head_dim=HEAD_WIDTH, num_layers=2, embedding_dim=EMBED_DIM,
        num_embeddings=NUM_TOKENS,
    )  # fmt: skip
    for parameter in prior.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)  # queries and places start at 0
    prior.clip_mean.data.copy_(torch.randn(1, EMBED_DIM))
    prior.clip_std.data.copy_(torch.rand(1, EMBED_DIM) + 0.5)
    return prior.eval()


@pytest.fixture
def inputs():
    rng = torch.Generator().manual_seed(1)
    mask = torch.tensor([[True, True, True, False, False], [True] * 5])
    x, text = torch.randn(2, EMBED_DIM, generator=rng), torch.randn(2, EMBED_DIM, generator=rng)
    return x, torch.tensor([3, 712]), text, torch.randn(2, NUM_TOKENS, EMBED_DIM, generator=rng), mask


def agree(path, theirs, inputs):
    """Our network of the file answers as theirs, padding hidden and not."""
    network = load_network(path)
    x, step, text, states, mask = inputs
    for shown in (mask, torch.ones_like(mask)):
        with torch.no_grad():
            expected = theirs(x, step, text, states, shown).predicted_image_embedding
        torch.testing.assert_close(network(x, step, text, states, ~shown), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(network.mean, theirs.clip_mean[0])
    torch.testing.assert_close(network.std, theirs.clip_std[0])


@pytest.mark.parametrize("is_safe", [True, False])
def test_a_prior_of_diffusers_answers_as_diffusers(theirs, inputs, is_safe, tmp_path):
    theirs.save_pretrained(tmp_path, safe_serialization=is_safe)
    (path,) = (path for path in tmp_path.iterdir() if path.suffix != ".json")
    agree(path, theirs, inputs)
    assert read_network(path).info["layout"] == "diffusers"


def as_karlo(theirs):
    """Its tensors under the names of Karlo's checkpoint, queries, keys and values head by head."""
    names = {
        "proj_in": "clip_img_proj", "embedding_proj": "text_emb_proj", "encoder_hidden_states_proj": "text_enc_proj",
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "norm_out": "final_ln",
        "proj_to_clip_embeddings": "out_proj", "norm1": "ln_1", "norm3": "ln_2", "attn1.to_out.0": "attn.c_proj",
        "ff.net.0.proj": "mlp.c_fc", "ff.net.2": "mlp.c_proj",
    }  # fmt: skip
    state = theirs.state_dict()
    made = {"prd_emb": state.pop("prd_embedding"), "positional_embedding": state.pop("positional_embedding")}
    del state["clip_mean"], state["clip_std"]
    for block in range(2):
        for kind in ("weight", "bias"):
            parts = [state.pop(f"transformer_blocks.{block}.attn1.to_{part}.{kind}") for part in "qkv"]
            heads = [part.unflatten(0, (NUM_HEADS, HEAD_WIDTH)) for part in parts]
            rows = [heads[part][head] for head in range(NUM_HEADS) for part in range(3)]
            made[f"transformer.resblocks.{block}.attn.c_qkv.{kind}"] = torch.cat(rows)
    for key, value in state.items():
        stem, kind = key.rsplit(".", 1)
        block = re.match(r"transformer_blocks\.(\d)\.", stem)
        stem = stem[block.end() :] if block else stem
        made[f"{f'transformer.resblocks.{block[1]}.' if block else ''}{names[stem]}.{kind}"] = value
    return {"state_dict": {f"model.{key}": value for key, value in made.items()}}


def test_karlos_own_names_are_the_same_network(theirs, inputs, tmp_path):
    path = tmp_path / "prior-ckpt-step=01000000-of-01000000.ckpt"
    torch.save(as_karlo(theirs), path)
    with pytest.raises(CheckpointError, match=f"put Karlo's {STATISTICS} into the same folder"):
        read_network(path)
    torch.save((theirs.clip_mean[0].detach(), theirs.clip_std[0].detach()), tmp_path / STATISTICS)
    agree(path, theirs, inputs)
    assert read_network(path).info["layout"] == "karlo"


def test_what_does_not_fit_is_one_line(theirs, tmp_path):
    state = theirs.state_dict()
    for change, line in (
        (lambda held: held.pop("transformer_blocks.0.attn1.to_k.weight"), "lacks a part of"),
        (lambda held: held.pop("clip_std"), "lacks the tensor 'clip_std'"),
        (lambda held: held.update({"norm_in.weight": torch.zeros(2)}), "'norm_in.weight' belongs to no prior"),
        (lambda held: held.update({"positional_embedding": torch.zeros(3)}), "not 3 dimensions"),
    ):
        changed = dict(state)
        change(changed)
        torch.save(changed, tmp_path / "prior.bin")
        with pytest.raises(CheckpointError, match=line) as caught:
            read_network(tmp_path / "prior.bin")
        assert "\n" not in str(caught.value) and "prior.bin" in str(caught.value)
    (tmp_path / "config.json").write_text('{"num_attention_heads": 7}')
    torch.save(state, tmp_path / "prior.bin")
    with pytest.raises(CheckpointError, match="does not part into 7 heads"):
        read_network(tmp_path / "prior.bin")
