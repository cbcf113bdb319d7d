"""A frozen generator's synthesis on the compiled operators of ops.synthesis, where these apply."""

import warnings
import weakref

import torch

from styleT2I.errors import ExtensionError
from styleT2I.ops.kernels import CPU, cpu_kernels, resolve_impl
from styleT2I.ops.modulated_conv2d import demodulation_coefficients, tap_squares
from styleT2I.ops.synthesis import CHANNEL_BLOCK, FrozenSynthesis, Layer, Operands, synthesize
from styleT2I.torch_utils.extensions import why_not_loaded

SLOW_RESOLUTION = 128  # from this resolution on a warning says that compiling would be faster
_compiled = weakref.WeakKeyDictionary()  # SynthesisNetwork -> (state and samples of its weights, CompiledSynthesis)
_has_warned = False


class CompiledSynthesis:
    """The layers of one network in order, and what follows from their weights alone."""

    def __init__(self, kernels, network):
        blocks = _blocks(network)
        self.layers = [blocks[0].conv1, *(layer for block in blocks[1:] for layer in (block.conv0, block.conv1))]
        self.rgbs = [block.torgb for block in blocks]
        self.squares = [tap_squares(layer.weight.detach()) for layer in self.layers]
        layers = [Layer(layer.weight.detach(), layer.bias.detach()) for layer in self.layers]
        rgbs = [Layer(rgb.weight.detach()[:, :, 0, 0] * rgb.weight_gain, rgb.bias.detach()) for rgb in self.rgbs]
        const, first = blocks[0].const.detach(), self.layers[0]
        self.frozen = FrozenSynthesis(kernels, const, layers, rgbs, first.resample_filter, first.conv_clamp)

    def draw(self, ws, noise_mode, generator):
        """Compute SynthesisNetwork.forward for ws [N,num_ws,w_dim]."""
        styles = [layer.affine(ws[:, i]) for i, layer in enumerate(self.layers)]
        demodulation = [
            demodulation_coefficients(layer.weight, style, squares=squares)
            for layer, style, squares in zip(self.layers, styles, self.squares, strict=True)
        ]
        # An RGB output shares its w with the layer above it.
        rgb_styles = [rgb.affine(ws[:, 2 * i + 1]) for i, rgb in enumerate(self.rgbs)]
        noises = [_noise_map(layer, ws, noise_mode, generator) for layer in self.layers]
        return synthesize(self.frozen, Operands(styles, demodulation, rgb_styles), noises)


def compiled_form(network, ws):
    """Return the CompiledSynthesis of a SynthesisNetwork when it can draw `ws`, else None.

    With impl 'cpp' by default (ops.kernels.default_impl) ExtensionError tells why it cannot.
    """
    impl = resolve_impl("auto", ["cpp"])
    if impl in ("ref", "torch"):
        return None
    modules = list(network.modules())
    parameters = [p for module in modules for p in module._parameters.values() if p is not None]
    reason = _why_not(network, ws, modules, parameters)
    kernels = cpu_kernels() if reason is None else None
    if kernels is not None:
        return _up_to_date(kernels, network, parameters)
    if impl == "cpp":
        raise ExtensionError(f"impl 'cpp' does not apply: {reason or why_not_loaded(CPU)}")
    if reason is None and network.resolutions[-1] >= SLOW_RESOLUTION:
        _warn_once(f"the generator runs in PyTorch alone, several times slower than compiled: {why_not_loaded(CPU)}")
    return None


def _up_to_date(kernels, network, parameters):
    """The network's CompiledSynthesis, made anew when a weight has changed since."""
    state = [(p.data_ptr(), p.shape, 0 if p.is_inference() else p._version) for p in parameters]
    with torch.inference_mode(False), torch.no_grad():
        # A change through `.data` counts no version, so some values are compared as well.
        values = torch.cat([p.flatten()[:: max(p.numel() // 64, 1)] for p in parameters])
        known = _compiled.get(network)
        if known is None or known[0] != state or not torch.equal(known[1], values):
            known = _compiled[network] = (state, values, CompiledSynthesis(kernels, network))
    return known[2]


def _noise_map(layer, ws, noise_mode, generator):
    """A layer's noise as [1 or N, H, W]."""
    noise = layer.noise(ws, noise_mode, generator)
    if noise is None:
        return ws.new_zeros(1, layer.resolution, layer.resolution)
    return noise.reshape(-1, layer.resolution, layer.resolution)


def _why_not(network, ws, modules, parameters):
    """Why the compiled operators do not apply, None when they do."""
    if ws.device.type != "cpu" or ws.dtype != torch.float32:
        return f"they compute in float32 on a CPU, not in {ws.dtype} on {ws.device}"
    if any(getattr(m, "half_dtype", None) for m in modules):
        return "they compute in float32, and the generator is set to half precision"
    if torch.is_autocast_enabled("cpu"):
        return "they compute in float32, and autocast is on"
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return "they cannot be traced"
    if any(p.requires_grad or p.dtype != torch.float32 or p.device.type != "cpu" for p in parameters):
        return "they take a frozen float32 generator on the CPU; call requires_grad_(False)"
    if any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in modules):
        return "they would skip the hooks on the generator's layers"
    return _why_not_this_kind(network)


def _why_not_this_kind(network):
    first = _blocks(network)[0]
    if first.architecture != "skip" or first.conv1.act != "lrelu" or first.torgb.weight.shape[0] != 3:
        return "they draw RGB images of the architecture 'skip' with leaky ReLU"
    if first.resample_filter.shape != (4,):
        return "they take resampling filters of four taps"
    if any(block.conv1.weight.shape[0] % CHANNEL_BLOCK for block in _blocks(network)):
        return f"they take multiples of {CHANNEL_BLOCK} channels"
    return None


def _blocks(network):
    return [getattr(network, f"b{resolution}") for resolution in network.resolutions]


def _warn_once(text):
    global _has_warned
    if not _has_warned:
        _has_warned = True
        warnings.warn(text, stacklevel=4)
