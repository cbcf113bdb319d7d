"""Settings of StyleGAN2's adversarial training and the presets."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from styleT2I.config import from_dict, override, suggestion
from styleT2I.data.dataset import open_dataset
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.foreign.registry import is_component, read_network
from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig
from styleT2I.networks.stylegan2.precision import CLAMP, NUM_RES, half_dtype


@dataclass(frozen=True)
class StyleGAN2Config:
    """What a StyleGAN2 run trains and how; the defaults are those of StyleGAN2's config F."""

    data: str  # real images, as data.dataset.open_dataset reads it
    generator: GeneratorConfig  # c_dim of both networks follows from use_labels
    discriminator: DiscriminatorConfig
    eval_data: str | None = None  # reals of the log's distances; None: data
    judge: str | None = None  # attribute classifier whose features distances are taken in; None: 8x8 pixels
    init_generator: str | None = None  # file to start from, of any format of ours or others'; None: random weights
    init_discriminator: str | None = None
    use_labels: bool = False  # condition both networks on the data's attributes

    batch_size: int = 32
    micro_batch: int | None = None  # samples computed at a time, gradients summed; None: batch_size
    g_lr: float = 0.002  # of Adam, before the correction for lazy regularisation
    d_lr: float = 0.002
    r1_gamma: float = 10.0
    r1_interval: int = 16  # steps between R1 penalties
    pl_weight: float = 2.0  # of path-length regularisation; 0: off
    pl_interval: int = 4
    pl_decay: float = 0.01
    pl_batch_shrink: int = 2  # path lengths are taken on this fraction of the batch
    style_mixing: float = 0.9  # probability that a sample mixes the styles of two latents
    ema_kimg: float = 10.0  # half-life of the averaged generator, in thousands of images
    ema_rampup: float | None = None  # the half-life is at most this share of the images seen so far; None: no ramp
    precision: str = "fp32"  # of the highest resolutions, on a GPU also "fp16" or "bf16" (networks.stylegan2_precision)
    d_warmup_kimg: float = 0.0  # thousands of images that the discriminator alone learns from at the start
    mirror: bool = False  # show each real image mirrored with probability 1/2
    jitter: float = 0.0  # colour jitter of reals and fakes before the discriminator, as a share of the range; 0: off
    translate: float = 0.0  # random shift of both, as a share of the side; 0: off

    eval_num: int = 2000  # images of either kind in every evaluation

    def __post_init__(self):
        for name in ("batch_size", "r1_interval", "pl_interval", "pl_batch_shrink"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} starts at 1, got {getattr(self, name)}")
        if self.eval_num < 8:
            raise ConfigError(f"eval_num is {self.eval_num}; distances need at least 8 images")
        if not 0 <= self.style_mixing <= 1:
            raise ConfigError(f"style_mixing is a probability, got {self.style_mixing}")
        micro_batch = self.micro_batch
        if micro_batch is not None and (micro_batch < 1 or self.batch_size % micro_batch):
            raise ConfigError(f"micro_batch {micro_batch} does not divide the batch of {self.batch_size}")
        half_dtype(self.precision)
        resolutions = self.generator.resolution, self.discriminator.resolution
        if resolutions[0] != resolutions[1]:
            raise ConfigError(f"the generator draws {resolutions[0]} px, the discriminator takes {resolutions[1]} px")


@dataclass(frozen=True)
class Preset:
    """A starting point: how long, on which settings, with which networks."""

    kimg: int  # thousands of real images shown in all
    settings: dict
    resolution: int | None  # None: the data's own
    generator: dict
    discriminator: dict


_FACES = {
    "data": "minifaces:biased/train",
    "eval_data": "minifaces:biased/val:2000",
    "batch_size": 16,
    "g_lr": 0.0025,
    "d_lr": 0.0025,
    "ema_kimg": 5.0,
    "ema_rampup": 0.05,
}
_FACES_GENERATOR = {"z_dim": 128, "w_dim": 128, "mapping_layers": 4}
_CHANNELS_64 = {4: 128, 8: 128, 16: 96, 32: 48, 64: 24}
_CHANNELS_128 = {4: 128, 8: 128, 16: 128, 32: 96, 64: 48, 128: 24}
_CHANNELS_PORTRAITS = {4: 192, 8: 192, 16: 192, 32: 128, 64: 64, 128: 32}
PRESETS = {
    "stylegan2-config-f": Preset(25_000, {}, None, {}, {}),
    "minifaces64": Preset(
        600, {**_FACES, "r1_gamma": 0.3}, 64,
        {**_FACES_GENERATOR, "channels": _CHANNELS_64}, {"channels": _CHANNELS_64},
    ),
    "minifaces128": Preset(
        1200, {**_FACES, "r1_gamma": 0.6}, 128,
        {**_FACES_GENERATOR, "channels": _CHANNELS_128}, {"channels": _CHANNELS_128},
    ),
    "portraits128": Preset(
        4000, {**_FACES, "data": "portraits:biased/train", "eval_data": "portraits:biased/val", "r1_gamma": 1.0}, 128,
        {"z_dim": 192, "w_dim": 256, "mapping_layers": 4, "channels": _CHANNELS_PORTRAITS},
        {"channels": _CHANNELS_PORTRAITS},
    ),
}  # fmt: skip


def stylegan2_config(preset: str, *, resolution: int | None = None, init: str | None = None, **changes):
    """Return (kimg, StyleGAN2Config) of a preset, with the changes that are not None applied.

    resolution: replaces the preset's. init: what to start from: a folder with generator.json and perhaps
    discriminator.json, the generator's component alone, or another code's file of a generator and perhaps a
    discriminator; its networks then replace the preset's.
    Raises ConfigError on settings that do not fit, CheckpointError on files that do not.
    """
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}{suggestion(preset, PRESETS)}")
    chosen = PRESETS[preset]
    settings = {**chosen.settings, **{key: value for key, value in changes.items() if value is not None}}
    if "data" not in settings:
        raise ConfigError(f"the preset {preset} has no data of its own; add --data SPEC")
    generator = discriminator = None
    if init is not None:
        files = _init_files(Path(init))
        settings.update({f"init_{role}": str(path) for role, path in files.items()})
        generator = _read_config(files["generator"], "G_ema", "stylegan2-generator", GeneratorConfig)
        if "discriminator" in files:
            discriminator = _read_config(files["discriminator"], "D", "stylegan2-discriminator", DiscriminatorConfig)
        if generator.image_channels != 3:
            raise ConfigError(f"{files['generator']}: draws images of {generator.image_channels} channels; the "
                              "pictures of a data set are RGB, so start from a generator of 3")  # fmt: skip
        if resolution not in (None, generator.resolution):
            raise ConfigError(f"{files['generator']}: draws {generator.resolution} px, not {resolution}; "
                              "leave --resolution out")  # fmt: skip
        resolution = generator.resolution
    resolution = resolution or chosen.resolution or open_dataset(settings["data"], with_masks=False).resolution
    settings["generator"] = generator or from_dict(GeneratorConfig, {"resolution": resolution, **chosen.generator})
    if discriminator is None:
        discriminator = from_dict(DiscriminatorConfig, {"resolution": resolution, **chosen.discriminator})
    settings["discriminator"] = discriminator
    if settings.get("precision", "fp32") != "fp32":
        settings.update({name: _for_half(settings[name]) for name in ("generator", "discriminator")})
    return chosen.kimg, from_dict(StyleGAN2Config, settings)


def _for_half(config):
    """A network's configuration that says what training in half precision makes of it, where it says nothing."""
    clamp = CLAMP if config.conv_clamp is None else config.conv_clamp
    return override(config, num_fp16_res=config.num_fp16_res or NUM_RES, conv_clamp=clamp)


def _init_files(path):
    """Return {"generator": file, "discriminator": file if there is one} of what --init names."""
    if path.is_dir():
        files = {role: path / f"{role}.json" for role in ("generator", "discriminator")}
        if not files["generator"].exists():
            raise CheckpointError(f"{path}: holds no generator.json; name the generator's component itself")
        return {role: file for role, file in files.items() if file.exists()}
    if not path.exists() or is_component(path):
        return {"generator": path}
    try:
        read_network(path, "D")
    except CheckpointError as error:
        warnings.warn(f"{error}; the discriminator starts from random weights", stacklevel=3)
        return {"generator": path}
    return {"generator": path, "discriminator": path}


def _read_config(path, which, kind, cls):
    component = read_network(path, which)
    if component.kind != kind:
        raise CheckpointError(f"{path}: is a {component.kind}, not a {kind}")
    return from_dict(cls, component.config)
