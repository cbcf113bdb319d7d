"""AttnGAN's released files: generator, discriminators, and DAMSM's text and image encoders, as plain state dicts.

Sizes follow from the tensors. The words of a text encoder are in a file of their own, found by `find_dictionary`.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.component import Component
from styleT2I.formats.foreign.imported import (
    Reading,
    choose,
    count_blocks,
    is_state_dict,
    load_state,
    shape_of,
    without_prefix,
)
from styleT2I.formats.pickles.blobs import AGAIN, open_blob
from styleT2I.formats.pickles.limits import Limits
from styleT2I.formats.pickles.machine import read_pickle
from styleT2I.formats.pickles.records import Names
from styleT2I.formats.pickles.torch_files import Content

DICTIONARY = "captions.pickle"
DICTIONARY_LIMITS = Limits(opcodes=30_000_000, containers=2_000_000, nodes=30_000_000)  # COCO has 616 thousand captions
_GENERATOR = (  # a file's key -> ours
    (r"ca_net\.fc\.(\w+)", "augment.fc.{0}"),
    (r"h_net1\.fc\.([01]\.\w+)", "project.{0}"),
    (r"h_net1\.upsample([1-9])\.(\d\.\w+)", "up.{0-1}.{1}"),
    (r"h_net([2-9])\.att\.conv_context\.(\w+)", "refine.{0-2}.attention.project.{1}"),
    (r"h_net([2-9])\.(residual\.\d\.block\.\d\.\w+)", "refine.{0-2}.{1}"),
    (r"h_net([2-9])\.upsample\.(\d\.\w+)", "refine.{0-2}.up.{1}"),
    (r"img_net([1-9])\.img\.0\.(\w+)", "to_rgb.{0-1}.0.{1}"),
)
_TEXT = ((r"encoder\.weight", "embedding.weight"), (r"rnn\.(\w+)", "lstm.{0}"))
_LOCAL = r"(?:Conv2d_[1-4]\w+|Mixed_[56]\w)\..+"  # of Inception-v3, up to the map of 768 channels
_IMAGE = (
    (rf"({_LOCAL})", "trunk.local.{0}"),
    (r"(Mixed_7\w\..+)", "trunk.whole.{0}"),
    (r"emb_features\.(\w+)", "regions.{0}"),
    (r"emb_cnn_code\.(\w+)", "sentence.{0}"),
)


def is_attngan(tree) -> bool:
    """Whether the content of a file is AttnGAN's generator or one of its discriminators."""
    return bool(_networks(tree))


def read_attngan(content: Content, which: str) -> Reading:
    """The generator ("G_ema" or "G") or the discriminator ("D") that a file is."""
    state = choose(_networks(content.tree), which)
    return _read_discriminator(state) if which == "D" else _read_generator(state)


def is_damsm_text(tree) -> bool:
    """Whether the content of a file is DAMSM's text encoder."""
    return {"encoder.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0_reverse"} <= set(_state(tree))


def read_damsm_text(content: Content, which: str) -> Reading:
    """The text encoder with the words of the dictionary beside it; without one it reads ids only, as a note says.

    Raises CheckpointError when the dictionary has another number of words than the encoder.
    """
    state = _state(content.tree)
    num_rows, embedding_dim = shape_of(state, "encoder.weight", 2)
    gates, hidden_dim = shape_of(state, "rnn.weight_hh_l0", 2)
    if gates == 3 * hidden_dim:
        raise CheckpointError(
            "is a text encoder with a GRU (RNN_TYPE of AttnGAN's code), which is not supported; use one with an LSTM"
        )
    if gates != 4 * hidden_dim:
        raise CheckpointError(f"its recurrent layer is not an LSTM: {gates} rows for {hidden_dim} units; {AGAIN}")
    config = {"num_rows": num_rows, "embedding_dim": embedding_dim, "text_dim": 2 * hidden_dim}
    path = find_dictionary(content.path)
    notes = [
        f"no {DICTIONARY} lies beside it, so it cannot read sentences; put it there or name it in STYLET2I_CAPTIONS"
    ]
    if path is not None:
        words, notes = read_dictionary(path), [f"the words are those of {path.name}"]
        if len(words) != num_rows:
            raise CheckpointError(
                f"has {num_rows} words and {path} {len(words)}; put the {DICTIONARY} that it was trained with beside it"
            )
        config["words"] = words[1:]
    return Reading("damsm-text", config, _renamed(load_state(state), _TEXT, "DAMSM text encoder"), {"notes": notes})


def is_damsm_image(tree) -> bool:
    """Whether the content of a file is DAMSM's image encoder over Inception-v3."""
    return {"emb_features.weight", "emb_cnn_code.weight", "Mixed_6e.branch1x1.conv.weight"} <= set(_state(tree))


def read_damsm_image(content: Content, which: str) -> Reading:
    """The image encoder, whose trunk has torchvision's names."""
    state = _state(content.tree)
    config = {"trunk": "inception", "text_dim": shape_of(state, "emb_cnn_code.weight", 2)[0]}
    return Reading("damsm-image", config, _renamed(load_state(state), _IMAGE, "DAMSM image encoder"))


def inception_trunk(tree, path) -> dict[str, torch.Tensor]:
    """The tensors of DAMSM's image trunk out of a file of torchvision's inception_v3, without its last layers."""
    state = {key: value for key, value in _state(tree).items() if not key.startswith(("AuxLogits.", "fc."))}
    if "Mixed_7c.branch1x1.conv.weight" not in state:
        raise CheckpointError(f"{path}: not a state dict of torchvision's inception_v3; save its weights there")
    renamed = _renamed(load_state(state), _IMAGE[:2], "Inception-v3")
    return {key.removeprefix("trunk."): value for key, value in renamed.items()}


def find_dictionary(path: Path) -> Path | None:
    """The word dictionary to use: $STYLET2I_CAPTIONS, else captions.pickle beside `path`, None where there is none."""
    if os.environ.get("STYLET2I_CAPTIONS"):
        return Path(os.environ["STYLET2I_CAPTIONS"]).expanduser()
    beside = path.absolute().parent / DICTIONARY
    return beside if beside.is_file() else None


def read_dictionary(path: Path) -> list[str]:
    """The words of a captions.pickle by their ids, the end mark's first; nothing in the file is executed.

    The file is a list: train captions, test captions, index-to-word, word-to-index. CheckpointError when it is not.
    """
    with open_blob(path) as blob:
        tree, _ = read_pickle(blob, Names(), limits=DICTIONARY_LIMITS)
    words = tree[2] if isinstance(tree, (list, tuple)) and len(tree) == 4 else None
    if not isinstance(words, dict) or set(words) != set(range(len(words))):
        raise CheckpointError(f"{path}: not a dictionary of AttnGAN's (a list of captions, words and ids); {AGAIN}")
    words = [words[index] for index in range(len(words))]
    if not words or not all(isinstance(word, str) for word in words):
        raise CheckpointError(f"{path}: its dictionary holds something that is not a word; {AGAIN}")
    return words


def with_dictionary(encoder: Component, path: Path) -> Component:
    """A text encoder with the words of a captions.pickle; CheckpointError where they are not its own."""
    if encoder.kind != "damsm-text":
        raise CheckpointError(f"{encoder.path}: is a {encoder.kind!r}, not a text encoder of DAMSM's; it has no words")
    words, num_rows = read_dictionary(path), len(encoder.state_dict["embedding.weight"])
    if len(words) != num_rows:
        raise CheckpointError(
            f"{encoder.path}: has {num_rows} words and {path} {len(words)}; name the {DICTIONARY} of its training"
        )
    return replace(encoder, config={**encoder.config, "words": words[1:], "num_rows": num_rows})


def _state(tree):
    """The state dict of a file's content, {} where there is none."""
    return without_prefix(tree) if is_state_dict(tree) else {}


def _networks(tree):
    state = _state(tree)
    if "h_net1.fc.0.weight" in state and "ca_net.fc.weight" in state:
        return {"G_ema": state, "G": state}
    return {"D": state} if "img_code_s16.0.weight" in state and "COND_DNET.outlogits.0.weight" in state else {}


def _read_generator(state):
    if "img_net.img.0.weight" in state:
        raise CheckpointError(
            "is AttnDCGAN's generator, whose one image layer follows all stages; that network is not supported, use "
            "the weights of AttnGAN itself"
        )
    gates, text_dim = shape_of(state, "ca_net.fc.weight", 2)
    num_stages = count_blocks(state, r"img_net(\d)\.")
    config = {
        "text_dim": text_dim,
        "cond_dim": gates // 4,
        "z_dim": shape_of(state, "h_net1.fc.0.weight", 2)[1] - gates // 4,
        "width": shape_of(state, "img_net1.img.0.weight", 4)[1],
        "num_stages": num_stages,
        "first_resolution": 4 << count_blocks(state, r"h_net1\.upsample(\d)\."),
        "num_residual": count_blocks(state, r"h_net2\.residual\.(\d)\.") if num_stages > 1 else 0,
    }
    tensors = _renamed(load_state(state), _GENERATOR, "AttnGAN generator")
    notes = ["a batch's words are masked as they should be; the released code mixes masks (legacy_mask)"]
    return Reading("attngan-generator", config, _with_counters(tensors), {"notes": notes})


def _read_discriminator(state):
    layers, narrow = {}, []  # a file's convolution -> its place in our encoder
    widths = []
    names = [f"img_code_s16.{index}" for index in (0, 2, 5, 8)]
    sizes = sorted({int(m[1]) for m in (re.match(r"img_code_s(\d+)\.0", key) for key in state) if m})
    names += [f"img_code_s{size}.0" for size in sizes[1:]]
    narrow = [
        f"img_code_s{sizes[-1]}_{i}.0" for i in range(1, 1 + count_blocks(state, rf"img_code_s{sizes[-1]}_(\d)\."))
    ]
    for index, name in enumerate([*names, *narrow]):
        place = 0 if index == 0 else 3 * index - 1
        block, _, number = name.rpartition(".")
        layers[name], layers[f"{block}.{int(number) + 1}"] = f"encode.{place}", f"encode.{place + 1}"
        widths.append(shape_of(state, f"{name}.weight", 4)[0])
    heads = {"COND_DNET.jointConv.0": "cond_head.0", "COND_DNET.jointConv.1": "cond_head.1"}
    heads |= {"COND_DNET.outlogits.0": "cond_head.3", "UNCOND_DNET.outlogits.0": "uncond_head.0"}
    config = {
        "cond_dim": shape_of(state, "COND_DNET.jointConv.0.weight", 4)[1] - widths[-1],
        "widths": widths[: len(names)],
        "narrow_widths": widths[len(names) :],
        "is_unconditional": "UNCOND_DNET.outlogits.0.weight" in state,
    }
    tensors = {}
    for key, value in load_state(state).items():
        layer, _, kind = key.rpartition(".")
        if layer not in layers | heads:
            raise CheckpointError(f"the tensor {key[:80]!r} belongs to no AttnGAN discriminator; {AGAIN}")
        tensors[f"{(layers | heads)[layer]}.{kind}"] = value
    return Reading("stackgan-discriminator", config, _with_counters(tensors))


def _renamed(state, rules, title):
    return {_name(key, rules, title): value for key, value in state.items()}


def _name(key, rules, title):
    for pattern, ours in rules:
        if match := re.fullmatch(pattern, key):
            text = ours
            for place, group in enumerate(match.groups()):
                text = text.replace(f"{{{place}}}", group)
                if group.isdigit():
                    text = re.sub(rf"\{{{place}-(\d)\}}", lambda m, group=group: str(int(group) - int(m[1])), text)
            return text
    raise CheckpointError(f"the tensor {key[:80]!r} belongs to no {title}; use another checkpoint")


def _with_counters(tensors):
    """The tensors with the batch counters of batch norm, which files older than torch 1.0 lack."""
    means = [key for key in tensors if key.endswith(".running_mean")]
    counters = {f"{key.removesuffix('running_mean')}num_batches_tracked": torch.tensor(0) for key in means}
    return counters | tensors
