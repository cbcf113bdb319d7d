"""Nested training states as a flat mapping of tensors and a JSON tree, so that no pickle is needed to save them."""

import torch


def flatten_state(state) -> tuple[object, dict[str, torch.Tensor]]:
    """Split nested dicts, lists and tuples of tensors, numbers, strings, booleans and None into (JSON tree, tensors).

    Dict keys may be strings or integers, as optimizers have them. Raises TypeError on anything else, naming its place.
    """
    tensors = {}
    return _flatten(state, "", tensors), tensors


def restore_state(tree, tensors: dict[str, torch.Tensor]):
    """Return the state that `flatten_state` split; raises KeyError when a tensor is missing."""
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: restore_state(value, tensors) for key, value in content}
    values = [restore_state(value, tensors) for value in content]
    return tuple(values) if kind == "tuple" else values


def _flatten(value, path, tensors):
    if isinstance(value, torch.Tensor):
        while path in tensors:  # keys may hold slashes
            path += "_"
        tensors[path] = value
        return {"tensor": path}
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                raise TypeError(f"state{path} has a key of type {type(key).__name__}")
        return {"dict": [[key, _flatten(item, f"{path}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_flatten(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"state{path} is a {type(value).__name__}, which cannot be saved")
