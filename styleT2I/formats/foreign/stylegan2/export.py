"""A generator of ours in the layouts of other code: the only torch files that are written, of tensors alone."""

from __future__ import annotations

from pathlib import Path

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.stylegan2 import export_ada, export_rosinality
from styleT2I.formats.foreign.written_config import KEY, config_tensor
from styleT2I.torch_utils.files import atomic_path

GENERATOR = "stylegan2-generator"
LAYOUTS = {"rosinality": export_rosinality, "ada": export_ada}


def export_generator(path: str | Path, layout: str, kind: str, config: dict, state_dict: dict) -> list[str]:
    """Write a generator in a layout of LAYOUTS to `path` and return notes: how to load it there, what may differ.

    config: every field of the generator's configuration; it is kept in the file as well, so that reading the file here
    gives the same network bit for bit. Raises CheckpointError for what the layout cannot hold, or OutputError.
    """
    if kind != GENERATOR:
        raise CheckpointError(f"cannot write a {kind!r} in the {layout} layout; it is one of StyleGAN2 generators")
    tree, notes = LAYOUTS[layout].lay_out(config, {name: t.detach().cpu() for name, t in state_dict.items()})
    tree[KEY] = config_tensor(kind, config)
    path = Path(path)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        try:
            torch.save(
                tree, file
            )  # to a file object: the archive then names no path, and the same network the same bytes
        except RuntimeError as error:  # of torch's own writer, on a full disk
            raise OSError(str(error)) from error
    return notes
