"""S space: the styles that scale the inputs of every 3x3 convolution, read, shifted and differentiated.

Source: StyleSpace (Wu et al. 2021, arXiv 2011.12799), section 3. The styles of RGB outputs are left out, as there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch

from styleT2I.errors import ConfigError
from styleT2I.networks.stylegan2.generator import SynthesisLayer, SynthesisNetwork


def style_layers(synthesis: SynthesisNetwork) -> dict[str, SynthesisLayer]:
    """The 3x3 convolutions by name, "b4.conv1" first; layer number i reads ws[:, i]."""
    layers = {}
    for resolution in synthesis.resolutions:
        block = getattr(synthesis, f"b{resolution}")
        layers |= {f"b{resolution}.{name}": getattr(block, name) for name in ("conv0", "conv1") if hasattr(block, name)}
    return layers


def styles_of(synthesis: SynthesisNetwork, ws: torch.Tensor) -> dict[str, torch.Tensor]:
    """The styles [N, channels] of every layer, for ws [N, num_ws, w_dim]."""
    return {name: layer.affine(ws[:, i]) for i, (name, layer) in enumerate(style_layers(synthesis).items())}


@contextlib.contextmanager
def shifted_styles(synthesis: SynthesisNetwork, shifts: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """While the block runs, everything that the network draws has `shifts` (layer -> [channels]) added to its styles.

    What is added does not depend on w, so it is added to the biases of the affine maps, in place: compiled and recorded
    forms of the network draw it too. The biases are put back bit for bit. Not for two threads at once.

    Raises:
        ConfigError: A layer is unknown, or has another number of channels.
    """
    layers = style_layers(synthesis)
    for name, shift in shifts.items():
        if name not in layers or shift.shape != layers[name].affine.bias.shape:
            raise ConfigError(f"the shift of the styles {name!r} is of another generator; find the direction again")
    biases = {name: layers[name].affine.bias for name in shifts}
    before = {name: bias.detach().clone() for name, bias in biases.items()}
    try:
        with torch.no_grad():
            for name, bias in biases.items():
                bias += shifts[name].to(bias) / layers[name].affine.bias_gain
        yield
    finally:
        with torch.no_grad():
            for name, bias in biases.items():
                bias.copy_(before[name])


@contextlib.contextmanager
def differentiable_styles(synthesis: SynthesisNetwork) -> Iterator[dict[str, torch.Tensor]]:
    """Yield a dict that holds, once the block has drawn, the styles [N, channels] by layer, ready for gradients."""
    drawn: dict[str, torch.Tensor] = {}

    def caught(name):
        def hook(module, inputs, output):
            drawn[name] = output.detach().requires_grad_()
            return drawn[name]

        return hook

    hooks = [layer.affine.register_forward_hook(caught(name)) for name, layer in style_layers(synthesis).items()]
    try:
        yield drawn
    finally:
        for hook in hooks:
            hook.remove()
