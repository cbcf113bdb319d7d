"""Any CLIP as our adapter: files of every known format, and the model objects of OpenAI's and open_clip's packages."""

from __future__ import annotations

import importlib.util
import os
import re
import types
from pathlib import Path

import torch

from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.component import Component, check_finite
from styleT2I.formats.foreign.clip.layout import SCALARS, clip_model, has_clip_names, name_of, tokenizer_of, unwrap
from styleT2I.formats.foreign.clip.open_clip import architecture_of, open_clip_tensors
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.model_folder import MANIFEST, read_model_folder
from styleT2I.formats.pickles.torch_files import open_checkpoint
from styleT2I.networks.clip.model import CLIP, open_clip_config
from styleT2I.networks.registry import load_network_component
from styleT2I.torch_utils.files import sha256_file

_OPENAI_NAME = re.compile(r"RN\d+(x\d+)?|ViT-[BL]/\d+(@\d+px)?")  # as OpenAI's package names its models
_FOLDER_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "model.safetensors", "pytorch_model.bin")


def load_clip(source, *, architecture: str | None = None) -> CLIP:
    """The CLIP of a file, a folder or another package's object, on the CPU, in eval mode with gradients off.

    source: a path (files of OpenAI's, of the StyleT2I authors' fine-tuning, of open_clip, of transformers; a component
    or model folder of ours), or a model of OpenAI's package `clip` or of open_clip, whose weights are copied.
    architecture: open_clip's name of what to build, for files that do not tell. Nothing in a file is executed.
    Raises CheckpointError, one line that names the file, the cause and the remedy.
    """
    if not isinstance(source, (str, os.PathLike)):
        return clip_of_object(source)
    path = _file_of(Path(source).expanduser())
    component = read_network(path) if architecture is None else _read_as(path, architecture)
    if component.kind != CLIP.kind:
        known = component.info.get("format", "component")
        raise CheckpointError(f"{path}: is a {component.kind!r} ({known}), not a CLIP; give a CLIP's weights")
    return load_network_component(component)


def clip_of_object(source) -> CLIP:
    """The adapter with the weights of a model object, or of the (model, preprocess) that `clip.load` returns.

    CheckpointError on anything else; a module called `clip` that is not OpenAI's is explained.
    """
    if isinstance(source, CLIP):
        return source
    if isinstance(source, types.ModuleType):
        raise CheckpointError(f"this module is not a CLIP; pass what it loads, or a file of weights{_about_package()}")
    if isinstance(source, (tuple, list)) and source and isinstance(source[0], torch.nn.Module):
        source = source[0]
    state = unwrap(source.state_dict())[0] if isinstance(source, torch.nn.Module) else {}
    if not has_clip_names(state):
        raise CheckpointError(f"a {type(source).__name__} is not a CLIP; pass a model of OpenAI's clip or of open_clip")
    model = clip_model(state)
    _take_heads(model, source)
    config = {
        "name": architecture_of(model) or type(source).__name__, "model": model,
        "quick_gelu": _has_quick_gelu(source), "tokenizer": tokenizer_of(model),
    }  # fmt: skip
    tensors = open_clip_tensors({key: t.detach().cpu() for key, t in state.items() if key not in SCALARS})
    where = Path(f"<{type(source).__name__}>")
    check_finite(tensors, where)
    return load_network_component(Component(CLIP.kind, config, tensors, None, {}, where, ""))


def is_openai_name(source: str | os.PathLike) -> bool:
    """Whether this is a model's name in OpenAI's package ("ViT-B/32"), which caches its file, and not a path."""
    name = Path(source).as_posix()
    return bool(_OPENAI_NAME.fullmatch(name)) and not os.path.exists(name)


def installed_clip_package() -> str | None:
    """Whose package `clip` is installed, "openai" or "other"; None without one. It is not imported."""
    try:
        spec = importlib.util.find_spec("clip")
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    return "openai" if any((folder / "model.py").is_file() for folder in folders) else "other"


def _file_of(path):
    """The file to read: of a model folder its CLIP, of a folder of open_clip or transformers the weights."""
    if path.name == MANIFEST or (path / MANIFEST).is_file():
        return read_model_folder(path).file("clip")
    if path.is_dir():
        return next((path / name for name in _FOLDER_FILES if (path / name).is_file()), path)
    if is_openai_name(path):
        cached = Path("~/.cache/clip").expanduser() / f"{path.as_posix().replace('/', '-')}.pt"
        if cached.is_file():  # the cache of OpenAI's package
            return cached
        raise CheckpointError(
            f"{path.as_posix()}: no such file, and OpenAI's weights of that name are not in {cached.parent}; give the "
            f"path of {cached.name}, or let a command fetch it: --clip clip-{cached.stem.lower().replace('@', '-')}"
            f"{_about_package()}"
        )
    return path


def _read_as(path, architecture):
    """The tensors of a file with the configuration of a named architecture of open_clip's."""
    with open_checkpoint(path) as content:
        state, _ = unwrap(content.tree)
        if not has_clip_names(state):
            raise CheckpointError(f"{path}: holds no CLIP by open_clip's names; leave the architecture out")
        tensors = open_clip_tensors(state)
    check_finite(tensors, path)
    try:
        config = open_clip_config(architecture, name=name_of(path))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Component(CLIP.kind, to_dict(config), tensors, None, {}, path, sha256_file(path))


def _take_heads(model, source):
    """Take the numbers of attention heads, which tensors do not show, from the object's layers."""
    heads = {}
    for name, module in source.named_modules():
        if isinstance(getattr(module, "num_heads", None), int):
            heads.setdefault("vision_cfg" if name.startswith("visual.") else "text_cfg", module.num_heads)
    if "text_cfg" in heads:
        model["text_cfg"]["heads"] = heads["text_cfg"]
    if "vision_cfg" in heads:
        width = model["vision_cfg"]["width"] * (1 if isinstance(model["vision_cfg"]["layers"], int) else 32)
        model["vision_cfg"]["head_width"] = width // heads["vision_cfg"]


def _has_quick_gelu(source):
    """Whether the object's activations are QuickGELU: always in OpenAI's package, by its layers elsewhere."""
    if type(source).__module__.partition(".")[0] == "clip" or isinstance(source, torch.jit.ScriptModule):
        return True
    return any(type(module).__name__ == "QuickGELU" for module in source.modules())


def _about_package():
    if installed_clip_package() != "other":
        return ""
    return "; the package `clip` installed here is PyPI's clipboard tool, not OpenAI's, and neither is needed"
