"""CLIP's tensors by OpenAI's names, which open_clip keeps: what is built follows from their shapes."""

from __future__ import annotations

from pathlib import Path

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.imported import count_blocks, is_state_dict, shape_of, without_prefix
from styleT2I.formats.pickles.records import Record
from styleT2I.formats.pickles.torch_files import state_dict_of

HEAD_WIDTH = 64  # the layout stores no head counts; OpenAI's code derives them with this
BPE_VOCAB_SIZE = 49408
SCALARS = ("input_resolution", "context_length", "vocab_size")  # stored beside OpenAI's weights, implied by the shapes
_USUAL_NAMES = ("open_clip_pytorch_model", "open_clip_model", "pytorch_model", "model")
_TEXT = {"token_embedding.weight", "positional_embedding", "ln_final.weight", "text_projection"}


def unwrap(tree) -> tuple[dict, str]:
    """(state dict, what it lay in) of a file's content: "torchscript", the key "model" or "state_dict", or "".

    The state dict is empty where there is none; the prefix that parallel training puts before every key is dropped.
    """
    if isinstance(tree, Record):
        state, wrapper = state_dict_of(tree), "torchscript"
    elif isinstance(tree, dict):
        wrapper = next((key for key in ("model", "state_dict") if isinstance(tree.get(key), dict)), "")
        state = {key: value for key, value in (tree[wrapper] if wrapper else tree).items() if isinstance(key, str)}
    else:
        return {}, ""
    state = without_prefix({key: value for key, value in state.items() if not key.endswith("attn_mask")})
    weights = {key: value for key, value in state.items() if key not in SCALARS}
    return (state, wrapper) if is_state_dict(weights) else ({}, "")


def has_clip_names(state: dict) -> bool:
    """Whether the names are those of an image tower beside a text tower, OpenAI's or one of open_clip's own."""
    has_image = any(key.startswith("visual.") for key in state)
    return has_image and (bool(_TEXT & state.keys()) or any(key.startswith("text.") for key in state))


def clip_model(state: dict) -> dict:
    """open_clip's model config of a state dict: embed_dim, vision_cfg and text_cfg.

    Raises CheckpointError when a tensor is missing or has a shape that no CLIP has.
    """
    if any(key.startswith("visual.trunk.") for key in state):
        raise CheckpointError(
            "its image tower is one of timm's, whose shapes do not tell how it is built; put the file's "
            "open_clip_config.json beside it, or name the architecture in load_clip(FILE, architecture=NAME)"
        )
    is_custom = "text.token_embedding.weight" in state
    text = {key.removeprefix("text."): tensor for key, tensor in state.items()} if is_custom else state
    width, embed_dim = shape_of(text, "text_projection", 2)
    model = {"embed_dim": embed_dim, "vision_cfg": _vision_cfg(state), "text_cfg": _text_cfg(text, width)}
    if is_custom:
        model["custom_text"] = True
    if "logit_bias" in state:
        model["init_logit_bias"] = -10.0  # only that there is one matters, the file has its value
    return model


def tokenizer_of(model: dict) -> dict:
    """OpenAI's BPE where the vocabulary has its size, else none."""
    return {"kind": "openai" if model["text_cfg"].get("vocab_size", BPE_VOCAB_SIZE) == BPE_VOCAB_SIZE else "none"}


def name_of(path: Path) -> str:
    """What to call the CLIP of a file: by its name, or by its folder or repository where many files have that name."""
    if path.stem not in _USUAL_NAMES:
        return path.stem
    folder = path.absolute().parent
    repositories = [part for part in folder.parts if part.startswith("models--")]  # of the Hugging Face cache
    return repositories[-1].rpartition("--")[2] if repositories else folder.name


def _text_cfg(state, width):
    vocab_size = shape_of(state, "token_embedding.weight", 2)[0]
    context_length = shape_of(state, "positional_embedding", 2)[0]
    layers = count_blocks(state, r"transformer\.resblocks\.(\d+)\.")
    heads = max(1, width // HEAD_WIDTH)
    cfg = {"context_length": context_length, "vocab_size": vocab_size, "width": width, "heads": heads, "layers": layers}
    return cfg | _mlp_ratio(state, "transformer.resblocks.0.mlp.c_fc.weight")


def _vision_cfg(state):
    if "visual.attnpool.positional_embedding" in state:
        grid = _grid(shape_of(state, "visual.attnpool.positional_embedding", 2)[0])
        width = shape_of(state, "visual.layer1.0.conv1.weight", 4)[0]
        layers = [count_blocks(state, rf"visual\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)]
        cfg = {"image_size": grid * 32, "width": width, "layers": layers}
        return cfg if width * 32 >= HEAD_WIDTH else cfg | {"head_width": width * 32}
    if "visual.proj" not in state:
        raise CheckpointError("its image tower is neither a ViT nor a ResNet of CLIP's; it is damaged or unsupported")
    width, _, patch_size, _ = shape_of(state, "visual.conv1.weight", 4)
    grid = _grid(shape_of(state, "visual.positional_embedding", 2)[0])
    layers = count_blocks(state, r"visual\.transformer\.resblocks\.(\d+)\.")
    cfg = {"image_size": patch_size * grid, "patch_size": patch_size, "width": width, "layers": layers}
    if width < HEAD_WIDTH:
        cfg["head_width"] = width
    return cfg | _mlp_ratio(state, "visual.transformer.resblocks.0.mlp.c_fc.weight")


def _mlp_ratio(state, key):
    """The setting mlp_ratio where it is not the usual 4."""
    hidden_dim, width = shape_of(state, key, 2)
    return {} if hidden_dim == 4 * width else {"mlp_ratio": (hidden_dim + 0.5) / max(1, width)}


def _grid(num_positions):
    """Side of the square of patches that positions stand for, the one of the whole image apart."""
    grid = round(max(0, num_positions - 1) ** 0.5)
    if grid < 1 or grid * grid + 1 != num_positions:
        raise CheckpointError(f"{num_positions} positions are not a square of patches and one more; it is damaged")
    return grid
