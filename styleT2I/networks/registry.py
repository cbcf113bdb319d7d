"""Network classes by kind, imported when first built.

A registered class has a frozen dataclass `Config`, the attribute `kind`, a constructor `cls(config)` that keeps its
argument as `.config`, and a classmethod `example()` returning `(network, args)`: a tiny instance and the inputs its
forward takes, by which one contract test holds all of them to the same promises
(tests/unit/networks/test_network_contract.py).
"""

import importlib
import math

import torch
from torch.nn import init
from torch.overrides import TorchFunctionMode

from styleT2I.config import from_dict, suggestion, to_dict
from styleT2I.errors import CheckpointError, ConfigError, guarded
from styleT2I.formats.component import Component, read_component

KINDS = {
    "stylegan2-generator": "styleT2I.networks.stylegan2.generator:Generator",
    "stylegan2-discriminator": "styleT2I.networks.stylegan2.discriminator:Discriminator",
    "patch-discriminator": "styleT2I.networks.stylegan2.patch_discriminator:PatchDiscriminator",
    "clip": "styleT2I.networks.clip.model:CLIP",
    "t2d": "styleT2I.networks.directions:TextToDirection",
    "a2d": "styleT2I.networks.directions:AttributeToDirection",
    "segmenter": "styleT2I.networks.faces.segmenter:Segmenter",
    "landmarks": "styleT2I.networks.faces.landmark_network:LandmarkNetwork",
    "scene-encoder": "styleT2I.networks.scene_encoder:SceneEncoder",
    "latent-encoder": "styleT2I.networks.latent_encoder:LatentEncoder",
    "judge": "styleT2I.networks.faces.attribute_classifier:AttributeClassifier",
    "attngan-generator": "styleT2I.baselines.attngan:AttnGANGenerator",
    "damsm-text": "styleT2I.baselines.damsm:TextEncoder",
    "damsm-clip-text": "styleT2I.baselines.clip_words:ClipWords",
    "damsm-image": "styleT2I.baselines.damsm:ImageEncoder",
    "gan-int-cls-generator": "styleT2I.baselines.gan_int_cls:GanIntClsGenerator",
    "gan-int-cls-discriminator": "styleT2I.baselines.gan_int_cls:GanIntClsDiscriminator",
    "style-encoder": "styleT2I.baselines.gan_int_cls:StyleEncoder",
    "stackgan-generator": "styleT2I.baselines.stackgan:StackGANGenerator",
    "stackgan-discriminator": "styleT2I.baselines.stackgan:StackGANDiscriminator",
    "dfgan-generator": "styleT2I.baselines.dfgan:DFGANGenerator",
    "dfgan-discriminator": "styleT2I.baselines.dfgan:DFGANDiscriminator",
    "unclip-prior": "styleT2I.baselines.unclip.prior:UnclipPrior",
    "unclip-ar-prior": "styleT2I.baselines.unclip.ar_prior:UnclipARPrior",
    "unclip-decoder": "styleT2I.baselines.unclip.decoder:UnclipDecoder",
    "unclip-upsampler": "styleT2I.baselines.unclip.upsampler:UnclipUpsampler",
}


def network_class(kind: str):
    """Return the class registered for `kind`; CheckpointError names the nearest known kind."""
    if kind not in KINDS:
        raise CheckpointError(f"unknown network kind {kind!r}{suggestion(kind, KINDS)}")
    module, _, name = KINDS[kind].partition(":")
    return getattr(importlib.import_module(module), name)


def build_network(kind: str, config: dict) -> torch.nn.Module:
    """Return a new network of `kind` in eval mode with gradients off; ConfigError names a wrong setting."""
    cls = network_class(kind)
    return cls(from_dict(cls.Config, config)).eval().requires_grad_(False)


def load_network_component(source, device="cpu") -> torch.nn.Module:
    """Return the network of a Component, or of the path of one, on `device`, in eval mode with gradients off.

    Raises CheckpointError when its tensors are not exactly those of its configuration.
    """
    component = source if isinstance(source, Component) else read_component(source)
    path = component.path
    what = "its configuration describes no network that can be built; fetch or write it again"
    try:
        with guarded(path, what), _Allowance(component):
            network = build_network(component.kind, component.config)
    except ConfigError as error:
        raise CheckpointError(f"{path}: its configuration is wrong: {error}; fetch or write it again") from error
    except CheckpointError as error:
        raise error if str(error).startswith(str(path)) else CheckpointError(f"{path}: {error}") from error
    load_strict(network, component.state_dict, path)
    return network.to(device)


def load_alike(path, kind: str, wanted, free: tuple[str, ...] = ()) -> torch.nn.Module:
    """Return the network that a training goes on from, on the CPU, in eval mode with gradients off.

    wanted: the configuration, a dataclass, of the network to train; free: fields in which the file's may differ. Raises
    CheckpointError where the file holds another kind, ConfigError where it holds one of another shape.
    """
    network = load_network_component(path)
    if network.kind != kind:
        raise CheckpointError(f"{path}: is a {network.kind!r} where a {kind!r} is needed")
    own, other = to_dict(network.config), to_dict(wanted)
    differing = [name for name in own if name not in free and own[name] != other[name]]
    if differing:
        raise ConfigError(
            f"{path}: its {differing[0]} is not the training's; take the preset and the data, or the generator and the "
            "CLIP, that it was trained with, or leave --init out"
        )
    return network


def load_network(path, which: str = "G_ema") -> torch.nn.Module:
    """Return a network out of a file of any known format, on the CPU, in eval mode with gradients off.

    path: NVIDIA's pickles (PyTorch or TensorFlow), rosinality's checkpoints, a component or model folder of ours.
    which: of a file with several networks "G_ema" (the averaged generator), "G" or "D". Nothing in it is executed.
    Raises CheckpointError, one line that names the file.
    """
    from styleT2I.formats.foreign.registry import read_network

    return load_network_component(read_network(path, which))


def load_strict(network: torch.nn.Module, state_dict: dict, where) -> None:
    """Load `state_dict`; CheckpointError lists the first missing, unexpected and misshapen tensors."""
    own = network.state_dict()
    for key, tensor in own.items():
        if tensor.is_floating_point() and key in state_dict and not state_dict[key].is_floating_point():
            kinds = f"{ascii(key)[1:-1][:100]} holds {state_dict[key].dtype} where {tensor.dtype} belongs"
            raise CheckpointError(f"{where}: the tensor {kinds}; fetch or write it again")
    missing = [k for k in own if k not in state_dict]
    unexpected = [k for k in state_dict if k not in own]
    shaped = [k for k in own if k in state_dict and own[k].shape != state_dict[k].shape]
    if missing or unexpected or shaped:
        shapes = [f"{k} {list(state_dict[k].shape)} for {list(own[k].shape)}" for k in shaped[:3]]
        parts = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
        text = "; ".join(f"{what}: {', '.join(ascii(k)[1:-1][:100] for k in keys[:3])}" for what, keys in parts if keys)
        counts = f"{len(missing)} missing, {len(unexpected)} unexpected, {len(shaped)} of another shape"
        raise CheckpointError(f"{where}: the weights do not fit {type(network).__name__} ({counts}); {text}")
    with guarded(where, f"the weights do not fit {type(network).__name__}; fetch or write it again"):
        network.load_state_dict(state_dict)


class _Allowance(TorchFunctionMode):
    """Limit the numbers that a network allocates while it is built, by the size of its weights' file.

    A small file could otherwise fill the memory with the empty network that it describes. Nor is a weight drawn at
    random, which of a large network takes longer than reading it: strict loading then sets every one.
    """

    MAKERS = {torch.empty, torch.zeros, torch.ones, torch.full, torch.randn, torch.rand}
    DRAWS = {torch.Tensor.normal_, torch.Tensor.uniform_, init.normal_, init.uniform_, init.trunc_normal_}
    DRAWS |= {init.kaiming_uniform_, init.kaiming_normal_, init.xavier_uniform_, init.xavier_normal_}
    FACTOR, SLACK = 4, 1 << 22

    def __init__(self, component):
        super().__init__()
        self.path = component.path
        self.left = self.FACTOR * sum(tensor.numel() for tensor in component.state_dict.values()) + self.SLACK

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in self.DRAWS:
            return args[0] if args else kwargs["tensor"]
        if func in self.MAKERS:
            size = kwargs.get("size", args[0] if args and isinstance(args[0], (tuple, list)) else args)
            self.left -= math.prod(int(n) for n in size)
            if self.left < 0:
                raise CheckpointError(
                    f"{self.path}: describes a far larger network than its weights are; fetch it again"
                )
        return func(*args, **kwargs)
