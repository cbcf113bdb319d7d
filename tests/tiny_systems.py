"""The earlier text-to-image GANs of random weights, small enough for every test, as folders that a training leaves."""

import dataclasses
from pathlib import Path

import torch

from styleT2I.baselines.config import StyleEncoderConfig, TextEncoderConfig
from styleT2I.baselines.damsm import TextEncoder
from styleT2I.baselines.gan_int_cls import StyleEncoder
from styleT2I.formats.model_folder import ROLES, write_model_manifest
from styleT2I.networks.registry import network_class
from tests.tiny_model import CONTEXT_LENGTHS, tiny_clip, write_tiny

READERS = {
    "gan_int_cls": "clip", "stackgan": "clip", "attngan": "text_encoder", "dfgan": "text_encoder", "unclip": "clip",
}  # fmt: skip
UNCLIP_PARTS = ("unclip", "unclip_prior", "unclip_ar_prior", "unclip_upsampler")
FURTHER = {  # what goes with a system in its model folder
    **{role: {reader} for role, reader in READERS.items()},
    "gan_int_cls": {"clip", "style_encoder"},
    "unclip": {"clip", *UNCLIP_PARTS[1:]},
}
WORDS = ("he", "she", "is", "smiling", "wearing", "a", "hat", "glasses", "and", "beard", "with")
MAX_WORDS = 12


def tiny_network(role, **changes):
    torch.manual_seed(0)
    example, _ = network_class(ROLES[role]).example()
    sizes = {"text_dim": 8} if role not in UNCLIP_PARTS else _UNCLIP_SIZES[role]
    network = type(example)(dataclasses.replace(example.config, **{**sizes, **changes}))
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)  # so that sentences and seeds are seen
    return network.eval().requires_grad_(False)


_OF_CLIP = {"embed_dim": 8, "text_width": 16}  # tests.tiny_model.tiny_clip's
_UNCLIP_SIZES = {
    "unclip": _OF_CLIP,
    "unclip_prior": {**_OF_CLIP, "num_tokens": 16},
    "unclip_ar_prior": {**_OF_CLIP, "num_tokens": 16},
    "unclip_upsampler": {},
}


def write_unclip(folder, without=(), training=None, vocabulary="minifaces", **changes) -> Path:
    """A model folder of a tiny unCLIP with all its parts but those named; changes: of the decoder's configuration."""
    roles = [role for role in UNCLIP_PARTS if role not in without]
    files = {}
    for role in roles:
        places = {"num_tokens": CONTEXT_LENGTHS[vocabulary]} if role in ("unclip_prior", "unclip_ar_prior") else {}
        network = tiny_network(role, **(changes if role == "unclip" else places))
        facts = {"training": training} if training else {}
        files[role] = write_tiny(folder, role, network, clip_name="tiny-clip", **facts).name
    files["clip"] = write_tiny(folder, "clip", tiny_clip(vocabulary=vocabulary)).name
    return write_model_manifest(folder, "unclip", files, vocabulary).parent


def tiny_text_encoder():
    torch.manual_seed(5)
    return TextEncoder(TextEncoderConfig(WORDS, embedding_dim=4, text_dim=8)).eval().requires_grad_(False)


def write_system(folder, role, reader=None, training=None, vocabulary="minifaces", **changes) -> Path:
    """A model folder of the system `role`, whose sentences a "clip" or a DAMSM "text_encoder" reads."""
    if role == "unclip":
        return write_unclip(folder, training=training, vocabulary=vocabulary)
    reader = reader or READERS[role]
    facts = {"encoder": "clip"} if reader == "clip" else {"encoder": "damsm", "max_words": MAX_WORDS}
    network = tiny_network(role, **changes)
    info = {"text": facts} | ({"training": training} if training else {})
    parts = {
        role: (network, info),
        reader: (tiny_clip(vocabulary=vocabulary) if reader == "clip" else tiny_text_encoder(), {}),
    }
    if role == "gan_int_cls":
        parts["style_encoder"] = (StyleEncoder(StyleEncoderConfig(network.config.z_dim, (4, 6))), {})
    files = {name: write_tiny(folder, name, part, **info).name for name, (part, info) in parts.items()}
    return write_model_manifest(folder, role, files, vocabulary).parent
