"""Settings of StyleGAN2's adversarial training and the presets, read and checked without torch.

Only what has to open files, data without a resolution in the preset or a network to start from, imports it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from styleT2I.config import from_dict, override, setting
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.networks.stylegan2.config import (
    CLAMP,
    NUM_RES,
    PRECISIONS,
    DiscriminatorConfig,
    GeneratorConfig,
    check_precision_name,
)
from styleT2I.recipes import check_has_data, given, read_recipe


@dataclass(frozen=True)
class StyleGAN2Config:
    """Settings of StyleGAN2's adversarial training; the defaults are those of StyleGAN2's config F."""

    data: str = setting(help="Real images: a data set's folder, or minifaces:DISTRIBUTION/SPLIT[:NUM].", metavar="SPEC")
    generator: GeneratorConfig  # c_dim of both networks follows from use_labels
    discriminator: DiscriminatorConfig
    eval_data: str | None = setting(None, "Reals of the log's distances; by default the training data.", metavar="SPEC")
    judge: str | None = setting(  # distances are taken in its features; None: 8x8 pixels
        None, "Attribute classifier for the log's distances; it never trains anything.", metavar="FILE"
    )
    init_generator: str | None = None  # file to start from, of any known format; None: random weights
    init_discriminator: str | None = None
    use_labels: bool = setting(False, "Condition both networks on the attributes.", flag="--labels/--no-labels")

    batch_size: int = setting(32, "Images per step.", flag="--batch", low=1)
    micro_batch: int | None = setting(  # None: batch_size
        None, "Images computed at a time, gradients summed to --batch.", low=1
    )
    g_lr: float = setting(  # of Adam, before the correction for lazy regularisation
        0.002, "Learning rate of the generator.", flag="--glr"
    )
    d_lr: float = setting(0.002, "Learning rate of the discriminator.", flag="--dlr")
    r1_gamma: float = setting(10.0, "Weight of R1; 0: off.", flag="--gamma", low=0)
    r1_interval: int = 16  # steps between R1 penalties
    pl_weight: float = setting(2.0, "Weight of path-length regularisation; 0: off.", low=0)
    pl_interval: int = 4
    pl_decay: float = 0.01
    pl_batch_shrink: int = 2  # path lengths are taken on this fraction of the batch
    style_mixing: float = setting(0.9, "Probability of style mixing.", flag="--mixing", low=0, high=1)
    ema_kimg: float = setting(10.0, "Half-life of the averaged generator, thousands of images.", low=0)
    ema_rampup: float | None = None  # the half-life is at most this fraction of the images seen so far; None: no ramp
    precision: str = setting(
        "fp32",
        "Of StyleGAN2's highest resolutions: fp32, or on a CUDA device fp16 or bf16.",
        choices=tuple(PRECISIONS),
    )
    d_warmup_kimg: float = setting(0.0, "Thousands of images for D alone at the start.", low=0)
    mirror: bool = setting(False, "Mirror real images at random.", flag="--mirror/--no-mirror")
    augment: str = setting(
        "none",
        "Random changes of the images that D sees: none; adaptive, with a probability that follows how well D "
        "recognises training images (StyleGAN2-ADA, for small data sets); or with a fixed one.",
        choices=("none", "adaptive", "fixed"),
    )
    augment_p: float = setting(0.2, "The probability of every change with --augment fixed.", low=0, high=1)
    augment_target: float = setting(  # -1 ... 1
        0.6, "Mean sign of D on training images at which --augment adaptive rests.", low=0, high=1
    )
    augment_kimg: float = 500.0  # thousands of images that take the adaptive probability from 0 to 1
    jitter: float = setting(0.0, "Colour jitter before the discriminator, as a fraction of the range.", low=0)
    translate: float = setting(0.0, "Random shift before the discriminator, as a fraction of the side.", low=0)

    eval_num: int = setting(2000, "Images of either kind in an evaluation.", low=8)

    def __post_init__(self):
        for name in ("batch_size", "r1_interval", "pl_interval", "pl_batch_shrink"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} starts at 1, got {getattr(self, name)}")
        if self.eval_num < 8:
            raise ConfigError(f"eval_num is {self.eval_num}; distances need at least 8 images")
        if not 0 <= self.style_mixing <= 1:
            raise ConfigError(f"style_mixing is a probability, got {self.style_mixing}")
        if self.augment not in ("none", "adaptive", "fixed"):
            raise ConfigError(f"augment is none, adaptive or fixed, got {self.augment!r}")
        micro_batch = self.micro_batch
        if micro_batch is not None and (micro_batch < 1 or self.batch_size % micro_batch):
            raise ConfigError(f"micro_batch {micro_batch} does not divide the batch of {self.batch_size}")
        check_precision_name(self.precision)
        resolutions = self.generator.resolution, self.discriminator.resolution
        if resolutions[0] != resolutions[1]:
            raise ConfigError(f"the generator draws {resolutions[0]} px, the discriminator takes {resolutions[1]} px")


def stylegan2_config(recipe: str | Path, *, resolution: int | None = None, init: str | None = None, **changes):
    """Return (kimg, StyleGAN2Config) of a preset or a file of one's own, with the changes that are not None applied.

    resolution: replaces the preset's. init: what to start from: a folder with generator.json and perhaps
    discriminator.json, the generator's component alone, or another code's file of a generator and perhaps a
    discriminator; its networks then replace the preset's.
    Raises ConfigError on settings that do not fit, CheckpointError on files that do not.
    """
    kimg, written = read_recipe("stylegan2", recipe, StyleGAN2Config, also=("resolution",))
    shapes = {name: written.pop(name, {}) for name in ("generator", "discriminator")}
    own_resolution = written.pop("resolution", None)
    settings = {**written, **given(changes)}
    check_has_data(recipe, settings)
    generator = discriminator = None
    if init is not None:
        files = _init_files(Path(init))
        settings.update({f"init_{role}": str(path) for role, path in files.items()})
        generator = _read_config(files["generator"], "G_ema", "stylegan2-generator", GeneratorConfig)
        if "discriminator" in files:
            discriminator = _read_config(files["discriminator"], "D", "stylegan2-discriminator", DiscriminatorConfig)
        if generator.image_channels != 3:
            raise ConfigError(f"{files['generator']}: draws images of {generator.image_channels} channels; the "
                              "images of a data set are RGB, so start from a generator of 3")  # fmt: skip
        if resolution not in (None, generator.resolution):
            raise ConfigError(f"{files['generator']}: draws {generator.resolution} px, not {resolution}; "
                              "leave --resolution out")  # fmt: skip
        resolution = generator.resolution
    resolution = resolution or own_resolution or _resolution_of(settings["data"])
    settings["generator"] = generator or from_dict(GeneratorConfig, {"resolution": resolution, **shapes["generator"]})
    if discriminator is None:
        discriminator = from_dict(DiscriminatorConfig, {"resolution": resolution, **shapes["discriminator"]})
    settings["discriminator"] = discriminator
    if settings.get("precision", "fp32") != "fp32":
        settings.update({name: _for_half(settings[name]) for name in ("generator", "discriminator")})
    return kimg, from_dict(StyleGAN2Config, settings)


def _resolution_of(data):
    """Side of a data set's images."""
    from styleT2I.data.dataset import open_dataset

    return open_dataset(data, with_masks=False).resolution


def _for_half(config):
    """A network's configuration that says what training in half precision makes of it, where it says nothing."""
    clamp = CLAMP if config.conv_clamp is None else config.conv_clamp
    return override(config, num_fp16_res=config.num_fp16_res or NUM_RES, conv_clamp=clamp)


def _init_files(path):
    """Return {"generator": file, "discriminator": file if there is one} of what --init names."""
    from styleT2I.formats.component import is_component
    from styleT2I.formats.foreign.registry import read_network

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
    from styleT2I.formats.foreign.registry import read_network

    component = read_network(path, which)
    if component.kind != kind:
        raise CheckpointError(f"{path}: is a {component.kind}, not a {kind}")
    return from_dict(cls, component.config)
