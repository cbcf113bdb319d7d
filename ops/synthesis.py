"""The synthesis of a frozen skip generator in compiled form: image, and gradients for the latents alone.

Feature maps are [N, C / 16, H, W, 16] in here. For the way back each layer keeps one tensor, its output: the sign tells
which side of the leaky ReLU a value was on, and from the value follows what the convolution had put out.
"""

import weakref
from typing import NamedTuple

import torch

from styleT2I.ops.activations import SQRT2
from styleT2I.ops.bias_act import bias_act
from styleT2I.ops.modulated_conv2d import modulated_conv2d
from styleT2I.ops.upfirdn2d import upfirdn2d, upsample2d

CHANNEL_BLOCK = 16
SLOPE, GAIN = 0.2, SQRT2  # of the leaky ReLU
NO_LIMIT = 3.0e38
SMALL_LAYER, SMALL_UP_LAYER = 16, 64  # up to these sizes of the result tiles of 2x2 pixels are faster than of 4x4
SUM_STYLE, SUM_DEMOD, SUM_RGB = 0, 1, slice(2, 5)  # what the compiled way back sums over pixels, see csrc/tail.h


class Layer(NamedTuple):
    """The constant operands of a convolution."""

    weight: torch.Tensor  # [O,I,3,3], or [3,I] for an RGB output, gain included
    bias: torch.Tensor  # [O]


class Operands(NamedTuple):
    """What follows from the latents. Layer 0 works at the lowest resolution, 2k - 1 enlarges to the k-th above it."""

    styles: tuple[torch.Tensor, ...]  # of every layer [N,I]
    demodulation: tuple[torch.Tensor, ...]  # of every layer [N,O]
    rgb_styles: tuple[torch.Tensor, ...]  # of every resolution's RGB output [N,I]


class FrozenSynthesis:
    """Constants made ready for `synthesize`: weights are transformed once, those of the way back when first needed.

    kernels: the compiled operators. const: the input [C,H,W]. layers, rgbs: Layers in the order of Operands.
    resample_filter: [4]. clamp: of every layer and RGB output, or None. All tensors are float32 on the CPU, all
    channels multiples of CHANNEL_BLOCK, all sides multiples of 4.
    """

    def __init__(self, kernels, const, layers, rgbs, resample_filter, clamp=None):
        self.kernels, self.const, self.layers, self.rgbs, self.clamp = kernels, const, layers, rgbs, clamp
        self.resample_filter = resample_filter
        self.taps = (resample_filter.flip(0) * 2).contiguous()  # each axis takes its half of the gain 4
        self.weights = self._prepare([layer.weight for layer in layers])
        weakref.finalize(self, kernels.release_memory).atexit = False  # what they keep for the next feature maps
        self._turned_weights = None

    @property
    def turned_weights(self):
        """The weights of the data gradients: inputs and outputs swapped, taps in reverse."""
        if self._turned_weights is None:
            turned = (layer.weight.transpose(0, 1).flip(2, 3).contiguous() for layer in self.layers)
            self._turned_weights = self._prepare(turned)
        return self._turned_weights

    def _prepare(self, weights):
        """Transformed for tiles of 4x4 pixels, or of 2x2, which take less memory and round less, in small layers."""
        result = []
        for i, weight in enumerate(weights):
            is_resampled, size = i % 2 == 1, self.const.shape[-1] << (i + 1) // 2
            is_small = size <= (SMALL_UP_LAYER if is_resampled else SMALL_LAYER)
            result.append(self.kernels.prepare(weight, is_resampled, 2 if is_small else 4))
        return result


def synthesize(frozen, operands, noises):
    """Draw the images [N,3,R,R] of a FrozenSynthesis. operands: Operands. noises: of every layer [1 or N, H, W].

    Differentiable in the operands, as often as wanted.
    """
    return _Synthesis.apply(frozen, noises, *(t for group in operands for t in group))


def synthesize_plainly(frozen, operands, noises):
    """Compute `synthesize` by the public ops."""
    x = frozen.const.expand(len(operands.styles[0]), -1, -1, -1)
    image = None
    for i, (layer, style, demodulation) in enumerate(zip(frozen.layers, *operands[:2], strict=True)):
        resampling = {"up": 1 + i % 2, "resample_filter": frozen.resample_filter}
        x = modulated_conv2d(x, layer.weight, style, demodulate=False, **resampling)
        noise = noises[i].unsqueeze(1)
        x = bias_act(x, layer.bias, scale=demodulation, noise=noise, act="lrelu", clamp=frozen.clamp)
        if i % 2 == 0:
            rgb, style = frozen.rgbs[i // 2], operands.rgb_styles[i // 2]
            y = modulated_conv2d(x, rgb.weight[:, :, None, None], style, demodulate=False)
            colours = bias_act(y, rgb.bias, clamp=frozen.clamp)
            image = colours if image is None else upsample2d(image, frozen.resample_filter) + colours
    return image


class _Synthesis(torch.autograd.Function):
    @staticmethod
    def forward(ctx, frozen, noises, *flat_operands):
        operands, is_kept = _group(flat_operands), any(ctx.needs_input_grad)
        kernels, image = frozen.kernels, None
        y = _to_blocks(frozen.const).expand(len(flat_operands[0]), -1, -1, -1, -1).contiguous()
        outputs, shown = [y], []  # of the layers, the constant first; of the RGB outputs
        for i, activation in enumerate(_activations(frozen, operands, noises)):
            taps = frozen.taps if i % 2 == 1 else None
            y = kernels.conv_forward(y, operands.styles[i], frozen.weights[i], taps, *activation)
            outputs = [*outputs, y] if is_kept else []
            if i % 2 == 0:
                rgb = frozen.rgbs[i // 2]
                colours = kernels.rgb_forward(y, rgb.weight * operands.rgb_styles[i // 2].unsqueeze(1))
                colours = bias_act(colours, rgb.bias, clamp=frozen.clamp)
                image = colours if image is None else kernels.add_enlarged(image, frozen.taps, colours)
                shown.append(colours if is_kept and frozen.clamp is not None else None)
        if is_kept:
            ctx.frozen, ctx.noises, ctx.num = frozen, noises, len(flat_operands)
            ctx.save_for_backward(*flat_operands, *outputs, *shown)
        return image

    @staticmethod
    def backward(ctx, grad):
        flat_operands, kept = ctx.saved_tensors[: ctx.num], ctx.saved_tensors[ctx.num :]
        operands, num_outputs = _group(flat_operands), len(ctx.frozen.layers) + 1
        if torch.is_grad_enabled():  # somebody will differentiate these gradients
            wanted = [t for t, is_needed in zip(flat_operands, ctx.needs_input_grad[2:], strict=True) if is_needed]
            image = synthesize_plainly(ctx.frozen, operands, ctx.noises)
            grads = iter(torch.autograd.grad(image, wanted, grad, create_graph=True))
            return None, None, *(next(grads) if is_needed else None for is_needed in ctx.needs_input_grad[2:])
        outputs, shown = kept[:num_outputs], kept[num_outputs:]
        return None, None, *_gradients(ctx.frozen, operands, ctx.noises, outputs, shown, grad)


def _gradients(frozen, operands, noises, outputs, shown, image_grad):
    """Gradients of all operands. outputs: the constant and every layer's; shown: the RGB outputs, given with a clamp.

    outputs[k] is read by layer k, was made by layer k - 1 and, for odd k, is shown by RGB output k // 2.
    """
    num = len(frozen.layers)
    styles, demodulation, rgb_styles = [None] * num, [None] * num, [None] * len(frozen.rgbs)
    activations = _activations(frozen, operands, noises)
    grad = None  # of what the convolution that reads outputs[k] put out
    for k in range(num, -1, -1):
        reader, colours = (None, None, None), (None, None)
        if k < num:
            reader = frozen.turned_weights[k], frozen.taps if k % 2 == 1 else None, operands.styles[k]
        if k % 2 == 1:
            rgb_weight, seen = frozen.rgbs[k // 2].weight, shown[k // 2]
            seen_grad = image_grad if seen is None else image_grad * (seen.abs() < frozen.clamp)
            colours = seen_grad.contiguous(), rgb_weight * operands.rgb_styles[k // 2].unsqueeze(1)
            image_grad = _upsample_gradient(image_grad, frozen.resample_filter) if k > 1 else None
        maker = activations[k - 1] if k > 0 else (None, None, None, SLOPE, NO_LIMIT)
        weight, taps, style = reader
        grad, sums = frozen.kernels.conv_backward(grad, weight, taps, outputs[k], style, *colours, *maker)
        if k < num:
            styles[k] = sums[SUM_STYLE]
        if k > 0:
            demodulation[k - 1] = sums[SUM_DEMOD] / operands.demodulation[k - 1]
        if k % 2 == 1:
            rgb_styles[k // 2] = (sums[SUM_RGB] * rgb_weight.unsqueeze(1)).sum(dim=0)
    return *styles, *demodulation, *rgb_styles


def _group(flat_operands):
    num = len(flat_operands) * 2 // 5  # 2n + 1 styles, 2n + 1 demodulations, n + 1 RGB outputs
    return Operands(flat_operands[:num], flat_operands[num : 2 * num], flat_operands[2 * num :])


def _activations(frozen, operands, noises):
    """What the kernels take of every layer: demodulation, bias and noise with the gain, slope, limit."""
    limit = NO_LIMIT if frozen.clamp is None else frozen.clamp
    return [
        (demodulation * GAIN, layer.bias * GAIN, noise * GAIN, SLOPE, limit)
        for layer, demodulation, noise in zip(frozen.layers, operands.demodulation, noises, strict=True)
    ]


def _upsample_gradient(grad, f):
    """The gradient of upsample2d's argument, for a filter of four taps."""
    return upfirdn2d(grad, f, down=2, padding=1, flip_filter=True, gain=4)


def _to_blocks(x):
    return x.unflatten(-3, (-1, CHANNEL_BLOCK)).movedim(-3, -1).contiguous()  # [.., C/16, H, W, 16]
