"""CLIP weights as OpenAI published them, and as the StyleT2I authors' script fine-tunes them.

Files: the published TorchScript archives, state dicts saved from them, {"model": state dict} of the script. None of
them says that OpenAI trained with QuickGELU, x * sigmoid(1.702 x), in place of GELU; the config always does.
"""

from __future__ import annotations

from styleT2I.formats.foreign.clip.layout import SCALARS, clip_model, has_clip_names, name_of, tokenizer_of, unwrap
from styleT2I.formats.foreign.imported import Reading, load_state
from styleT2I.formats.pickles.torch_files import Content


def is_openai_clip(tree) -> bool:
    """Whether the content of a file has a CLIP in a form that only OpenAI's code gives it."""
    state, wrapper = unwrap(tree)
    if not has_clip_names(state) or "text_projection" not in state:
        return False
    is_half = wrapper == "" and _is_half_but_norms(state)
    return wrapper in ("torchscript", "model") or any(key in state for key in SCALARS) or is_half


def read_openai_clip(content: Content, which: str) -> Reading:
    """The CLIP of a file for our adapter; models trained against it know it by the file's name.

    Raises CheckpointError when a tensor is missing or misshapen.
    """
    state, _ = unwrap(content.tree)
    state = {key: tensor for key, tensor in state.items() if key not in SCALARS}
    config = openai_clip_config(state, name_of(content.path))
    return Reading("clip", config, {f"model.{key}": tensor for key, tensor in load_state(state).items()})


def openai_clip_config(state: dict, name: str) -> dict:
    """Configuration of our CLIP adapter for an OpenAI state dict."""
    model = clip_model(state)
    return {"name": name, "model": model, "quick_gelu": True, "tokenizer": tokenizer_of(model)}


def _is_half_but_norms(state):
    """Whether, as in OpenAI's own conversion, the first convolution is fp16 and the norms are not."""
    norms = [state[key].dtype for key in ("visual.ln_pre.weight", "visual.bn1.weight") if key in state]
    first = state.get("visual.conv1.weight")
    return first is not None and str(first.dtype) == "torch.float16" and "torch.float32" in map(str, norms)
