"""CLIP with a ViT written out once more from the paper, on OpenAI's state dicts: what readers are compared with."""

import math

import torch
from torch.nn import functional as F

CONTEXT, VOCAB = 9, 40
SCALARS = {
    "input_resolution": torch.tensor(24),
    "context_length": torch.tensor(CONTEXT),
    "vocab_size": torch.tensor(40),
}
IDS = torch.tensor([[1, 5, 39, 0, 0, 0, 0, 0, 0], [1, 7, 8, 9, 2, 3, 39, 0, 0]])


def random_state(
    *, width=128, layers=2, patch=8, grid=3, text_width=64, text_layers=1, embed=16, context=CONTEXT, vocab=VOCAB
):
    """A random state dict in OpenAI's layout, every tensor far from its usual initial value."""
    generator = torch.Generator().manual_seed(0)
    state = {}

    def add(name, *shape, scale=None, mean=0.0):
        scale = 1 / math.sqrt(shape[-1]) if scale is None else scale
        state[name] = torch.randn(shape, generator=generator) * scale + mean

    def norm(name, dim):
        add(f"{name}.weight", dim, scale=0.2, mean=1.0)
        add(f"{name}.bias", dim, scale=0.2)

    def blocks(prefix, dim, num):
        for block in (f"{prefix}transformer.resblocks.{i}." for i in range(num)):
            add(f"{block}attn.in_proj_weight", 3 * dim, dim)
            add(f"{block}attn.in_proj_bias", 3 * dim, scale=0.2)
            for name, rows, columns in (
                ("attn.out_proj", dim, dim), ("mlp.c_fc", 4 * dim, dim), ("mlp.c_proj", dim, 4 * dim),
            ):  # fmt: skip
                add(f"{block}{name}.weight", rows, columns)
                add(f"{block}{name}.bias", rows, scale=0.2)
            norm(f"{block}ln_1", dim)
            norm(f"{block}ln_2", dim)

    add("positional_embedding", context, text_width, scale=0.1)
    add("text_projection", text_width, embed)
    state["logit_scale"] = torch.tensor(2.5)
    add("visual.class_embedding", width, scale=0.3)
    add("visual.positional_embedding", grid * grid + 1, width, scale=0.1)
    add("visual.proj", width, embed)
    add("visual.conv1.weight", width, 3, patch, patch, scale=1 / math.sqrt(3 * patch * patch))
    norm("visual.ln_pre", width)
    blocks("visual.", width, layers)
    norm("visual.ln_post", width)
    blocks("", text_width, text_layers)
    add("token_embedding.weight", vocab, text_width, scale=0.3)
    norm("ln_final", text_width)
    return state


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def image_features(state, pixels, heads, act=quick_gelu):
    """Features [N, embed_dim], not normalised, of normalised pixels."""
    patches = F.conv2d(pixels, state["visual.conv1.weight"], stride=state["visual.conv1.weight"].shape[-1])
    x = patches.flatten(2).transpose(1, 2)
    start = state["visual.class_embedding"].expand(len(x), 1, -1)
    x = _norm(state, "visual.ln_pre", torch.cat([start, x], dim=1) + state["visual.positional_embedding"])
    x = _blocks(state, "visual.", x, heads, act, None)
    return _norm(state, "visual.ln_post", x[:, 0]) @ state["visual.proj"]


def text_features(state, ids, heads, act=quick_gelu):
    """Features [N, embed_dim], not normalised, of token ids whose largest one in a row ends the text."""
    mask = torch.full((ids.shape[1], ids.shape[1]), -math.inf).triu(1)
    x = state["token_embedding.weight"][ids] + state["positional_embedding"]
    x = _norm(state, "ln_final", _blocks(state, "", x, heads, act, mask))
    return x[torch.arange(len(x)), ids.argmax(dim=1)] @ state["text_projection"]


def _blocks(state, prefix, x, heads, act, mask):
    index = 0
    while (block := f"{prefix}transformer.resblocks.{index}.") + "ln_1.weight" in state:
        x = x + _attention(state, block, _norm(state, f"{block}ln_1", x), heads, mask)
        hidden = act(_linear(state, f"{block}mlp.c_fc", _norm(state, f"{block}ln_2", x)))
        x = x + _linear(state, f"{block}mlp.c_proj", hidden)
        index += 1
    return x


def _attention(state, block, x, heads, mask):
    n, length, width = x.shape
    qkv = x @ state[f"{block}attn.in_proj_weight"].t() + state[f"{block}attn.in_proj_bias"]
    q, k, v = (part.view(n, length, heads, width // heads).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    weights = q @ k.transpose(2, 3) / math.sqrt(width // heads)
    weights = (weights if mask is None else weights + mask).softmax(dim=-1)
    return _linear(state, f"{block}attn.out_proj", (weights @ v).transpose(1, 2).reshape(n, length, width))


def _linear(state, name, x):
    return x @ state[f"{name}.weight"].t() + state[f"{name}.bias"]


def _norm(state, name, x):
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def pixels(size, num=2):
    return torch.randn(num, 3, size, size, generator=torch.Generator().manual_seed(3))


def assert_same(clip, state, heads=2, text_heads=1, **act):
    """The adapter computes what the plain implementation makes of the state dict."""
    image, ids = pixels(clip.config.image_size), IDS[:, : clip.context_length]
    with torch.no_grad():
        torch.testing.assert_close(
            clip.model.encode_image(image), image_features(state, image, heads, **act), atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            clip.model.encode_text(ids), text_features(state, ids, text_heads, **act), atol=1e-4, rtol=1e-4
        )
    torch.testing.assert_close(clip.temperature_scale, state["logit_scale"].exp())
