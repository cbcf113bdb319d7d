"""CLIP weights as OpenAI published them: a flat state dict whose shapes tell the architecture."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch

from styleT2I.errors import CheckpointError

_SCALARS = ("input_resolution", "context_length", "vocab_size")  # stored beside the weights, implied by their shapes
_BPE_VOCAB_SIZE = 49408
_HEAD_WIDTH = 64  # the format stores no head counts; OpenAI's loader derives them with this


def read_openai_clip(path: str | Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """Read a state-dict file of an OpenAI CLIP, ViT or ModifiedResNet: (config of our CLIP adapter, fp32 state dict).

    The config always has quick_gelu: OpenAI trained with x * sigmoid(1.702 x), which the file does not record.
    Nothing in the file is executed. Raises CheckpointError when it is missing, damaged or no such file.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about TorchScript archives, which weights_only refuses in the next breath
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the CLIP weights: {error.strerror or error}") from error
    except Exception as error:  # the unpickler raises many kinds on damaged or hostile files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: not a readable state-dict file ({reason[:120]}); download it again") from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise CheckpointError(f"{path}: holds no plain state dict of tensors; give an OpenAI CLIP state-dict file")
    try:
        config = openai_clip_config(content, name=path.stem)
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"{path}: is no OpenAI CLIP: tensor {error} is missing or has the wrong shape") from error
    state_dict = {f"model.{key}": value.float() for key, value in content.items() if key not in _SCALARS}
    return config, state_dict


def openai_clip_config(state_dict: dict[str, torch.Tensor], name: str) -> dict:
    """Configuration of our CLIP adapter for an OpenAI state dict, from its shapes; KeyError if a tensor is absent."""
    text_width = state_dict["ln_final.weight"].shape[0]
    text_cfg = {
        "context_length": state_dict["positional_embedding"].shape[0],
        "vocab_size": state_dict["token_embedding.weight"].shape[0],
        "width": text_width,
        "heads": text_width // _HEAD_WIDTH,
        "layers": _count(state_dict, r"transformer\.resblocks\.(\d+)\."),
    }
    is_vit = "visual.proj" in state_dict
    model = {
        "embed_dim": state_dict["text_projection"].shape[1],
        "vision_cfg": _vit_cfg(state_dict) if is_vit else _resnet_cfg(state_dict),
        "text_cfg": text_cfg,
    }
    tokenizer = {"kind": "openai" if text_cfg["vocab_size"] == _BPE_VOCAB_SIZE else "none"}
    return {"name": name, "model": model, "quick_gelu": True, "tokenizer": tokenizer}


def _vit_cfg(state_dict):
    width, _, patch_size, _ = state_dict["visual.conv1.weight"].shape
    grid = round((state_dict["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    layers = _count(state_dict, r"visual\.transformer\.resblocks\.(\d+)\.")
    return {"image_size": patch_size * grid, "patch_size": patch_size, "width": width, "layers": layers}


def _resnet_cfg(state_dict):
    grid = round((state_dict["visual.attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
    layers = [_count(state_dict, rf"visual\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)]
    return {"image_size": grid * 32, "width": state_dict["visual.layer1.0.conv1.weight"].shape[0], "layers": layers}


def _count(state_dict, pattern):
    """Number of distinct block indices among the keys that match `pattern`."""
    return len({match[1] for match in (re.match(pattern, key) for key in state_dict) if match})
