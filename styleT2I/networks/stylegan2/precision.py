"""Half precision in the highest resolutions of a generator or discriminator (StyleGAN2-ADA, appendix).

Weights, styles, RGB images and everything at lower resolutions stay in float32; weights are cast where they are used.
"""

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError

PRECISIONS = {"fp32": None, "fp16": "float16", "bf16": "bfloat16"}  # what torch calls each
NUM_RES = 4  # resolutions in half precision where a network's configuration names none
CLAMP = 256.0  # limit of |activation| in a network trained in half precision


def set_precision(network, precision):
    """Let the highest resolutions of a Generator or Discriminator compute in `precision`, and return the network.

    precision: "fp16" or "bf16" for the config.num_fp16_res highest (NUM_RES where that is 0) above 4 pixels, "fp32" for
    none. In float16 a layer without a clamp of its own is clamped at CLAMP. ConfigError for another name.
    """
    dtype, config = half_dtype(precision), network.config
    lowest = (2 * config.resolution) >> (config.num_fp16_res or NUM_RES)
    blocks = getattr(network, "synthesis", network)
    for resolution in config.resolutions[1:]:
        getattr(blocks, f"b{resolution}").half_dtype = dtype if resolution >= lowest else None
    return network


def check_precision_name(precision):
    """Raise ConfigError unless `precision` is one of PRECISIONS."""
    if precision not in PRECISIONS:
        raise ConfigError(
            f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}{suggestion(precision, PRECISIONS)}"
        )


def half_dtype(precision):
    """Return the torch.dtype of "fp16" or "bf16", None for "fp32"; ConfigError for another name."""
    check_precision_name(precision)
    import torch  # not before: settings are read without it

    return getattr(torch, PRECISIONS[precision]) if PRECISIONS[precision] else None


def check_precision(precision, device):
    """Raise ConfigError unless `precision` is of use on a torch.device: half precision is for GPUs."""
    if half_dtype(precision) is not None and device.type != "cuda":
        raise ConfigError(f"precision {precision!r} is for a CUDA device, and this runs on {device}; use fp32 there")
