"""open_clip's weight files: a state dict by OpenAI's names, often with an `open_clip_config.json` beside it.

Without that file the architecture is the one of open_clip's own list that has the tensors' shapes, else what follows
from the shapes alone. No tensor tells whether the weights need QuickGELU.
"""

from __future__ import annotations

import json
import warnings

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.clip.layout import clip_model, has_clip_names, name_of, tokenizer_of, unwrap
from styleT2I.formats.foreign.imported import Reading, load_state
from styleT2I.formats.pickles.torch_files import SAFETENSORS, Content

SIDECAR = "open_clip_config.json"
_MAX_SIDECAR_BYTES = 1 << 20
_QUICK_GELU_NAMES = ("quickgelu", "openai")  # in names of files
_GELU_NAMES = ("open_clip", "openclip", "laion", "datacomp", "commonpool")
_PREPROCESSING = {"mean": "image_mean", "std": "image_std", "interpolation": "interpolation"}


def is_open_clip(tree) -> bool:
    """Whether the content of a file has a CLIP by open_clip's names, which are OpenAI's for the most part."""
    return has_clip_names(unwrap(tree)[0])


def read_open_clip(content: Content, which: str) -> Reading:
    """The CLIP of a file for our adapter; CheckpointError when the file does not tell what to build."""
    state, wrapper = unwrap(content.tree)
    sidecar = _read_sidecar(content.path.with_name(SIDECAR))
    if sidecar is not None:
        return Reading("clip", _sidecar_config(sidecar, content.path), open_clip_tensors(state))
    model = clip_model(state)
    architecture = architecture_of(model)
    config = {"name": name_of(content.path), "model": named_model(architecture) if architecture else model}
    config["tokenizer"] = tokenizer_of(model)
    published = _published(architecture, content.path.name) if architecture else None
    if published:
        config |= {"quick_gelu": bool(published.get("quick_gelu"))} | _preprocessing(published)
        return Reading("clip", config, open_clip_tensors(state))
    is_own_training = wrapper == "state_dict" or content.container == SAFETENSORS
    config["quick_gelu"], notes = _guess_quick_gelu(content.path.name.lower(), is_own_training)
    for note in notes:
        warnings.warn(f"{content.path}: {note}", stacklevel=2)
    return Reading("clip", config, open_clip_tensors(state), {"notes": notes})


def open_clip_tensors(state: dict) -> dict:
    """The tensors under our adapter's names, in fp32; position numbers that some text towers store are left out."""
    return {f"model.{key}": t for key, t in load_state(state).items() if not key.endswith("position_ids")}


def named_model(architecture: str) -> dict:
    """open_clip's model config of one of its architectures, without quick_gelu."""
    import open_clip

    model = open_clip.get_model_config(architecture)
    model.pop("quick_gelu", None)
    return model


def architecture_of(model: dict) -> str | None:
    """The name of open_clip's architecture with the sizes of `model`, None when it has none; their sizes are unique."""
    import open_clip

    sizes = _sizes(model)
    names = (name for name in open_clip.list_models() if "quickgelu" not in name)
    return next((name for name in names if _sizes(open_clip.get_model_config(name)) == sizes), None)


def _sizes(model):
    """What shapes tell of a model config, None for towers of timm, of Hugging Face and with a decoder."""
    vision, text = model["vision_cfg"], model["text_cfg"]
    if "timm_model_name" in vision or "hf_model_name" in text or "multimodal_cfg" in model:
        return None
    layers = vision.get("layers", 12)
    is_vit = isinstance(layers, int)
    return (
        model["embed_dim"], bool(model.get("custom_text")), is_vit, layers if is_vit else tuple(layers),
        vision.get("width", 768), vision.get("image_size", 224), vision.get("patch_size", 16) if is_vit else None,
        text.get("width", 512), text.get("layers", 12), text.get("context_length", 77), text.get("vocab_size", 49408),
    )  # fmt: skip


def _read_sidecar(path):
    if not path.is_file() or path.stat().st_size > _MAX_SIDECAR_BYTES:
        return None
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        if all(isinstance(sidecar["model_cfg"][key], kind) for key, kind in _MODEL_KEYS.items()):
            return sidecar
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise CheckpointError(f"{path}: not a configuration of open_clip's (model_cfg with its towers); fetch it again")


_MODEL_KEYS = {"embed_dim": int, "vision_cfg": dict, "text_cfg": dict}


def _sidecar_config(sidecar, path):
    model = dict(sidecar["model_cfg"])
    model["vision_cfg"] = {
        key: value for key, value in model["vision_cfg"].items() if key != "pos_embed_type"
    }  # stored
    quick_gelu = bool(model.pop("quick_gelu", False))
    architecture = _listed_architecture(model)
    config = {"name": name_of(path), "model": model, "quick_gelu": quick_gelu}
    if model["text_cfg"].get("hf_tokenizer_name") or model["text_cfg"].get("tokenizer_kwargs"):
        known = architecture is not None
        config["tokenizer"] = {"kind": "open_clip", "architecture": architecture} if known else {"kind": "none"}
    else:
        config["tokenizer"] = tokenizer_of(model)
    return config | _preprocessing(sidecar.get("preprocess_cfg") or {})


def _preprocessing(settings):
    return {name: settings[key] for key, name in _PREPROCESSING.items() if settings.get(key)}


def _listed_architecture(model):
    import open_clip

    return next((name for name in open_clip.list_models() if named_model(name) == model), None)


def _published(architecture, file_name):
    """What open_clip knows of the published file of this name, None when it knows none."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(architecture)
    settings = (open_clip.get_pretrained_cfg(architecture, tag) for tag in tags)
    return next((known for known in settings if (known.get("url") or "").rpartition("/")[2] == file_name), None)


def _guess_quick_gelu(name, is_own_training):
    """(whether to build with QuickGELU, the notes: one where neither the file's name nor its form tells)."""
    if any(part in name for part in _QUICK_GELU_NAMES):
        return True, []
    if is_own_training or any(part in name for part in _GELU_NAMES):
        return False, []
    return True, [
        "the file does not say whether it wants QuickGELU (OpenAI's weights) or GELU (most of open_clip's): taken as "
        f"OpenAI's; if it is not, put its {SIDECAR} beside it"
    ]
