"""CLIP files in every container, and what hostile ones are made of."""

import io
import warnings
import zipfile

import pytest
import torch
from torch import nn

from styleT2I import load_clip
from styleT2I.errors import CheckpointError
from styleT2I.torch_utils.files import save_safetensors_atomic
from tests.plain_clip import SCALARS


def saved(path, content):
    torch.save(content, path)
    return path


class Tensors(nn.Module):
    """Parameters under dotted names, nested as modules, beside attributes that archives of modules hold."""

    numbers: list[int]
    text: str

    def __init__(self, state):
        super().__init__()
        self.numbers, self.text = [3, 4], "constant"
        children = {}
        for key, tensor in state.items():
            name, _, rest = key.partition(".")
            if rest:
                children.setdefault(name, {})[rest] = tensor
            else:
                self.register_buffer(name, tensor)
        for name, part in children.items():
            self.add_module(name, Tensors(part))

    def forward(self, x):
        return x


def write_container(path, container, state):
    """A state dict as a file of torch ("zip", "legacy", "torchscript") or safetensors; returns the path."""
    if container == "safetensors":
        save_safetensors_atomic(path, {key: tensor for key, tensor in state.items() if key not in SCALARS})
    elif container == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated
            torch.jit.script(Tensors(state)).save(str(path))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=container == "zip")
    return path


def refused(path, *matches, kind=CheckpointError, load=load_clip):
    """`load` ends in one line that names the file and has each of `matches`; the line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an assumed activation
        with pytest.raises(kind) as caught:
            load(path)
    line = str(caught.value)
    assert str(path) in line and "\n" not in line and len(line) < 1000, line
    assert all(match in line for match in matches), line
    return line


def rewritten(data, change):
    """The archive `data` with every entry passed through change(name, bytes) -> (bytes, compression)."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        for entry in archive.infolist():
            content, compression = change(entry.filename, archive.read(entry))
            copy.writestr(entry.filename, content, compress_type=compression)
    return out.getvalue()


def mutated(data, dice, size=None):
    data = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        data[dice.randrange(min(size or len(data), len(data)))] = dice.randrange(256)
    return bytes(data)
