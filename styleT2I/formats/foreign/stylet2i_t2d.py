"""The text network of the StyleT2I authors' code: GloVe vectors, a bi-GRU and a three-layer perceptron over W+.

The checkpoint holds the GRU and the perceptron; the word vectors are GloVe's and come from their own file, found by
`find_glove`. Layers are told by their shapes, whatever their names. Source: StyleT2I (Li et al., CVPR 2022), sec. 4.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.foreign.imported import Reading, is_state_dict, load_state, shape_of, without_prefix
from styleT2I.formats.model_folder import cache_dir
from styleT2I.formats.pickles.torch_files import Content
from styleT2I.formats.texts.glove import Glove
from styleT2I.torch_utils.words import plain_words

KEY = "sentence_encoder"
MAX_LINES = 3_000_000
NUM_LINES = 50_000  # of the GloVe file, which begins with the most frequent words
_GRU = [f"{kind}_l0{way}" for way in ("", "_reverse") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def is_stylet2i_t2d(tree) -> bool:
    """Whether the content of a file has such a network: a bi-GRU, and linear layers that widen to W+."""
    state = _state(tree)
    if _gru_prefix(state) is None:
        return False
    hidden_dim = state[_gru_prefix(state) + "weight_hh_l0"].shape[-1]
    return state[_gru_prefix(state) + "weight_hh_l0"].shape[0] == 3 * hidden_dim and len(_linear_names(state)) > 1


def read_stylet2i_t2d(content: Content, which: str) -> Reading:
    """The network of a file as Text-to-Direction with its own text encoder, its table the frequent words of GloVe.

    Raises CheckpointError when its layers do not fit each other, or no GloVe file of their size is at hand.
    """
    state = _state(content.tree)
    prefix, linear = _gru_prefix(state), _linear_names(state)
    gru_rows, embedding_dim = shape_of(state, f"{prefix}weight_ih_l0", 2)
    text_dim = shape_of(state, f"{prefix}weight_hh_l0", 2)[1]
    known = {prefix + name for name in _GRU} | {f"{name}.{kind}" for name in linear for kind in ("weight", "bias")}
    if gru_rows != 3 * text_dim or set(state) != known:
        extra = ", ".join(sorted(set(state) - known)[:3]) or "another size of GRU"
        raise CheckpointError(f"is not a text network of StyleT2I's released code: it has {extra}")
    config = _trunk_config(state, linear, text_dim)
    glove = Glove(find_glove(content.path, embedding_dim))
    if glove.dim != embedding_dim:
        raise CheckpointError(
            f"its words have {embedding_dim} numbers, those of {glove.path} {glove.dim}; give another"
        )
    words = [word for word in glove.first_words(_num_lines()) if plain_words(word) == [word]]
    config["text_encoder"] = {"words": words, "embedding_dim": embedding_dim, "hidden_dim": text_dim}
    tensors = _tensors(load_state(state), prefix, linear, config)
    table = torch.cat([torch.zeros(1, embedding_dim), glove.vectors(words)[0]])  # row 0: the unknown word
    note = (
        f"the words are the {len(words)} most frequent ones of {glove.path.name}; others are read as unknown "
        "(STYLET2I_GLOVE_LINES takes more)"
    )
    return Reading("t2d", config, tensors | {"text_encoder.embedding.weight": table}, {"notes": [note]})


def find_glove(path: Path, dim: int) -> Path:
    """The GloVe text file to use: $STYLET2I_GLOVE, else glove*.{dim}d.txt beside `path` or in the user's cache."""
    if os.environ.get("STYLET2I_GLOVE"):
        return Path(os.environ["STYLET2I_GLOVE"]).expanduser()
    for folder in (path.absolute().parent, cache_dir(), cache_dir() / "glove"):
        found = sorted(folder.glob(f"glove*.{dim}d.txt"))
        if found:
            return found[0]
    raise CheckpointError(
        f"the text network reads words as {dim} numbers of GloVe, which are not in it; put the file that it was "
        f"trained with (glove.840B.{dim}d.txt, unpacked) beside it, or name it in STYLET2I_GLOVE"
    )


def _num_lines():
    """How many lines of the GloVe file are taken: $STYLET2I_GLOVE_LINES, else NUM_LINES."""
    text = os.environ.get("STYLET2I_GLOVE_LINES", "")
    if text and not (text.isdecimal() and 0 < int(text) <= MAX_LINES):
        raise ConfigError(f"STYLET2I_GLOVE_LINES is {text[:40]!r}; it is a number of lines from 1 to {MAX_LINES}")
    return int(text) if text else NUM_LINES


def _state(tree):
    """The state dict of a file's content, {} where there is none."""
    state = tree.get(KEY, tree) if isinstance(tree, dict) else {}
    return without_prefix(state) if is_state_dict(state) and all(isinstance(key, str) for key in state) else {}


def _gru_prefix(state):
    """What stands before the names of the one-layer bi-GRU, None when there is no such layer."""
    prefixes = {key.removesuffix("weight_hh_l0") for key in state if key.endswith("weight_hh_l0")}
    whole = [prefix for prefix in prefixes if all(prefix + name in state for name in _GRU)]
    return whole[0] if len(whole) == 1 and len(state[whole[0] + "weight_hh_l0"].shape) == 2 else None


def _linear_names(state):
    """The names of the linear layers in the order of the numbers in them."""
    names = [key.removesuffix(".weight") for key in state if key.endswith(".weight") and len(state[key].shape) == 2]
    names = [name for name in names if f"{name}.bias" in state]
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def _trunk_config(state, linear, text_dim):
    shapes = [shape_of(state, f"{name}.weight", 2) for name in linear]  # (outputs, inputs) of each layer
    widths, w_dim = [outputs for outputs, _ in shapes], shapes[0][1] - text_dim
    is_chain = all(shape[1] == width for shape, width in zip(shapes[1:], widths, strict=False))
    if not is_chain or w_dim < 1 or len(set(widths[:-1])) != 1 or widths[-1] % w_dim:
        sizes = ", ".join(f"{inputs}->{outputs}" for outputs, inputs in shapes)
        raise CheckpointError(f"its linear layers ({sizes}) do not lead from a latent and a sentence to W+")
    num_ws = widths[-1] // w_dim
    space = {"space": "w"} if num_ws == 1 else {}  # their --latent_space w: one step for all layers
    return space | {
        "w_dim": w_dim, "num_ws": num_ws, "text_dim": text_dim, "hidden_dim": widths[0], "num_hidden": len(linear) - 1,
    }  # fmt: skip


def _tensors(state, prefix, linear, config):
    tensors = {f"text_encoder.gru.{name}": state[prefix + name] for name in _GRU}
    for index, name in enumerate(linear):
        weight = state[f"{name}.weight"]
        if index == 0:  # theirs reads the sentence before w, ours w before the sentence
            weight = weight.roll(-config["text_dim"], dims=1)
        tensors[f"trunk.mlp.{2 * index}.weight"], tensors[f"trunk.mlp.{2 * index}.bias"] = weight, state[f"{name}.bias"]
    w_dim = config["w_dim"]
    return tensors | {"trunk.w_mean": torch.zeros(w_dim), "trunk.w_std": torch.ones(w_dim)}
