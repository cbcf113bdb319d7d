"""Any file of weights, told by its content: one table of formats, one function that reads a network.

A format is a name, a test of a file's content (is_NAME) and a reader of it (read_NAME). To add one, write both in a
module of its own and add a line to FORMATS. Formats are imported when a foreign file is read, not before.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from styleT2I.errors import CheckpointError, StyleT2IError
from styleT2I.formats.component import Component, check_finite, is_component, manifest_path, read_own
from styleT2I.formats.model_folder import MANIFEST, read_model_folder, told_where_from
from styleT2I.torch_utils.files import sha256_file

if TYPE_CHECKING:
    from styleT2I.formats.foreign.imported import Reading
    from styleT2I.formats.pickles.torch_files import Content


@dataclass(frozen=True)
class Format:
    """One layout of weights. Its address "MODULE:NAME" stands for is_NAME and read_NAME of a module in this folder."""

    name: str
    title: str
    address: str

    def sniff(self, tree: object) -> bool:
        """Whether a file's content, given as a tree, has this layout."""
        return self._function("is")(tree)

    def read(self, content: Content, which: str) -> Reading:
        """The network `which` of a file of this layout, whose tensors lie in the file until they are loaded."""
        return self._function("read")(content, which)

    def _function(self, verb: str) -> Callable:
        module, _, name = self.address.partition(":")
        return getattr(importlib.import_module(f"styleT2I.formats.foreign.{module}"), f"{verb}_{name}")


FORMATS = (
    Format("nvidia-pickle", "NVIDIA stylegan2-ada-pytorch or stylegan3 pickle", "stylegan2.nvidia:nvidia"),
    Format("tensorflow-pickle", "NVIDIA StyleGAN2 pickle of TensorFlow", "stylegan2.tensorflow:tensorflow"),
    Format("rosinality", "rosinality stylegan2-pytorch checkpoint", "stylegan2.rosinality:rosinality"),
    Format("nvidia-state-dict", "StyleGAN2-ADA state dict", "stylegan2.nvidia:nvidia_state"),
    Format("openai-clip", "CLIP of OpenAI's", "clip.openai:openai_clip"),
    Format("open-clip", "CLIP of open_clip's", "clip.open_clip:open_clip"),
    Format("huggingface-clip", "CLIP of Hugging Face's transformers", "clip.huggingface:huggingface_clip"),
    Format("stylet2i-t2d", "text network of the StyleT2I authors' code", "stylet2i_t2d:stylet2i_t2d"),
    Format("attngan", "AttnGAN network of its authors' code", "attngan:attngan"),
    Format("damsm-text", "DAMSM text encoder of AttnGAN's authors", "attngan:damsm_text"),
    Format("damsm-image", "DAMSM image encoder of AttnGAN's authors", "attngan:damsm_image"),
    Format("stackgan", "StackGAN network of its authors' code", "stackgan:stackgan"),
    Format("dfgan", "DF-GAN checkpoint of its authors' code", "dfgan:dfgan"),
    Format("karlo-prior", "prior of unCLIP of Karlo's or diffusers'", "karlo:karlo_prior"),
)


def read_network(path: str | Path, which: str = "G_ema") -> Component:
    """Read a network out of a file of any known format, a component of ours or a model folder (its generator).

    which: the network of a file that holds several: "G_ema" (the averaged generator), "G" or "D". The result's `info`
    has the format's name under "format" and, under "notes", what the file left open. Nothing in the file is executed.
    Raises CheckpointError, one line that names the file, the cause and the remedy.
    """
    path = Path(path)
    with told_where_from(path):
        return read_own(path) if is_component(path) else _read_foreign(path, which)


def _read_foreign(path, which):
    from styleT2I.formats.foreign.written_config import with_written_config
    from styleT2I.formats.pickles.torch_files import open_checkpoint

    with open_checkpoint(path) as content:
        known = format_of(content.tree)
        if known is None:
            raise CheckpointError(f"{path}: {_unknown(content)}")
        try:
            reading = with_written_config(known.read(content, which), content.tree)
        except StyleT2IError as error:
            raise _located(path, error) from error
        except Exception as error:  # the values of a damaged file can be of any type
            raise CheckpointError(f"{path}: a damaged {known.title}; fetch it again") from error
    check_finite(reading.state_dict, path)
    info = {"format": known.name, **reading.info}
    return Component(reading.kind, reading.config, reading.state_dict, None, info, path, sha256_file(path))


def network_sha256(path: str | Path) -> str:
    """The `sha256` that `read_network` gives of a file, without reading its tensors; errors as there."""
    path = Path(path)
    if not is_component(path):
        return sha256_file(path)
    is_model = (path / MANIFEST).is_file()
    return sha256_file(manifest_path(read_model_folder(path).file("generator") if is_model else path))


def format_of(tree) -> Format | None:
    """The format of a file's content, None when it is none of FORMATS."""
    return next((known for known in FORMATS if known.sniff(tree)), None)


def _located(path, error):
    kind = type(error) if isinstance(error, CheckpointError) else CheckpointError
    return error if str(error).startswith(str(path)) else kind(f"{path}: {error}")


def _unknown(content):
    keys = ", ".join(repr(key)[:40] for key in list(content.tree)[:5]) if isinstance(content.tree, dict) else ""
    held = f"a dict with {keys}" if keys else f"a {type(content.tree).__name__}"
    formats = "; ".join(known.title for known in FORMATS)
    return f"holds no network of a known format, but {held}; known are: {formats}"
