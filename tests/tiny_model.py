"""A whole model of random weights, small enough for every test: 16 px, 8-dimensional w, the vocabulary of a world."""

from pathlib import Path

import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.word_list import tokenizer_spec
from styleT2I.config import to_dict
from styleT2I.formats.component import write_component
from styleT2I.formats.model_folder import write_model_manifest
from styleT2I.networks.clip.model import CLIP, CLIPConfig
from styleT2I.networks.directions import AttributeToDirection, DirectionConfig, TextToDirection
from styleT2I.networks.faces.attribute_classifier import AttributeClassifier, ClassifierConfig
from styleT2I.networks.faces.segmenter import Segmenter, SegmenterConfig
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator

CONTEXT_LENGTH = 16
CONTEXT_LENGTHS = {"minifaces": CONTEXT_LENGTH, "portraits": 48}


def tiny_generator(**changes):
    torch.manual_seed(0)
    config = {"resolution": 16, "z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_max": 8, **changes}
    G = Generator(GeneratorConfig(**config))
    for module in G.modules():
        if hasattr(module, "noise_strength"):
            module.noise_strength.data.fill_(0.3)  # so that noise modes differ
    return G.eval().requires_grad_(False)


def tiny_clip(name="tiny-clip", vocabulary="minifaces"):
    """A CLIP that knows a vocabulary's words, and reads as long sentences as its world's captions have attributes."""
    torch.manual_seed(1)
    tokenizer = tokenizer_spec(vocabulary)
    text = {
        "context_length": CONTEXT_LENGTHS[vocabulary],
        "vocab_size": len(tokenizer["words"]) + 4,
        "width": 16,
        "heads": 2,
        "layers": 1,
    }
    vision = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8}
    model = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    return CLIP(CLIPConfig(model=model, name=name, tokenizer=tokenizer)).freeze()


def tiny_t2d(**changes):
    torch.manual_seed(2)
    config = {"w_dim": 8, "num_ws": 6, "text_dim": 8, "hidden_dim": 16, "num_hidden": 1, **changes}
    return TextToDirection(DirectionConfig(**config)).eval().requires_grad_(False)


def tiny_a2d(**changes):
    torch.manual_seed(4)
    config = {"w_dim": 8, "num_ws": 6, "text_dim": 8, "hidden_dim": 16, "num_hidden": 1, **changes}
    return AttributeToDirection(DirectionConfig(**config)).eval().requires_grad_(False)


def tiny_strengths(vocabulary="minifaces"):
    """Made-up calibrated steps, as A2D training writes them."""
    return {name: {"true": 1.5, "false": 0.5} for name in load_vocabulary(vocabulary).names}


def tiny_judge(seed=3, nuisances=(), vocabulary="minifaces"):
    torch.manual_seed(seed)
    names, num = load_vocabulary(vocabulary).names, len(nuisances)
    config = ClassifierConfig(names, tuple(nuisances), (0.0,) * num, (0.5,) * num,
                              resolution=16, widths=(4, 6), feature_dim=5)  # fmt: skip
    return AttributeClassifier(config).eval().requires_grad_(False)


def tiny_segmenter(region_names):
    torch.manual_seed(6)
    return Segmenter(SegmenterConfig(tuple(region_names), resolution=16, widths=(4, 6))).eval().requires_grad_(False)


def write_tiny(folder, name, network, **info) -> Path:
    """One network as a component in `folder`; the path of its manifest."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return write_component(folder, name, network.kind, to_dict(network.config), network.state_dict(), info=info)


def write_tiny_model(folder, without=(), onlookers=None, vocabulary="minifaces") -> Path:
    """A complete model folder, less the named roles, and with onlookers: networks that only look, by role."""
    parts = {
        "generator": tiny_generator(),
        "clip": tiny_clip(vocabulary=vocabulary),
        "t2d": tiny_t2d(),
        "a2d": tiny_a2d(),
        "judges.guide": tiny_judge(vocabulary=vocabulary),
        **(onlookers or {}),
    }
    strengths = tiny_strengths(vocabulary)
    info = {"t2d": {"clip_name": "tiny-clip"}, "a2d": {"clip_name": "tiny-clip", "strengths": strengths}}
    files = {}
    for role, network in parts.items():
        if role not in without:
            files[role] = write_tiny(folder, role.replace(".", "_"), network, **info.get(role, {})).name
    return write_model_manifest(folder, "tiny", files, vocabulary).parent
