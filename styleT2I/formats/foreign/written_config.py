"""A network's whole configuration inside a file of tensors, as a tensor of JSON bytes that other readers ignore."""

from __future__ import annotations

import json

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.imported import Reading
from styleT2I.formats.pickles.tensors import load_tensors

KEY = "styleT2I_config"
_MAX_BYTES = 1 << 16


def config_tensor(kind: str, config: dict) -> torch.Tensor:
    """The kind and configuration of a network as uint8 [num_bytes]."""
    text = json.dumps({"kind": kind, "config": config})
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def with_written_config(reading: Reading, tree) -> Reading:
    """`reading` with the configuration that its file holds, where it does and is of the same kind of network.

    tree: the content of the file. Raises CheckpointError when what it holds there is no configuration.
    """
    if not isinstance(tree, dict) or KEY not in tree:
        return reading
    try:
        tensor = load_tensors({KEY: tree[KEY]})[KEY]
        if tensor.dtype != torch.uint8 or tensor.numel() > _MAX_BYTES:
            raise ValueError("not bytes of text")
        written = json.loads(bytes(tensor.flatten().tolist()))
        kind, config = written["kind"], dict(written["config"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"damaged: its {KEY} holds no configuration ({error}); convert it again") from error
    if kind != reading.kind:
        return reading
    info = {name: value for name, value in reading.info.items() if name != "notes"}
    return Reading(kind, config, reading.state_dict, info)
