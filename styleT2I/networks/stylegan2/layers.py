"""Layers that the StyleGAN2 generator and discriminator share: equalised learning rate, mapping network."""

import math

import torch
from torch import nn

from styleT2I.errors import ConfigError
from styleT2I.networks.stylegan2.config import CLAMP
from styleT2I.ops.activations import activation
from styleT2I.ops.bias_act import bias_act
from styleT2I.ops.modulated_conv2d import conv2d_resample
from styleT2I.ops.upfirdn2d import setup_filter


def clamp_in(dtype, conv_clamp, gain=1.0):
    """Return the limit of a layer that computes in `dtype`, None for none: in float16 there always is one."""
    conv_clamp = CLAMP if conv_clamp is None and dtype == torch.float16 else conv_clamp
    return None if conv_clamp is None else conv_clamp * gain


def normalize_2nd_moment(x, eps=1e-8):
    """Scale each row of [N,D] to mean square 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + eps).rsqrt()


class FullyConnected(nn.Module):
    """Linear layer with equalised learning rate (Progressive GAN, section 4.1): weights are stored near N(0, 1).

    x: [N,in_dim] -> [N,out_dim]. lr_multiplier scales the learning rate of the layer relative to the others.
    """

    def __init__(self, in_dim, out_dim, *, act="linear", lr_multiplier=1.0, bias_init=0.0):
        super().__init__()
        self.act = act
        self.weight = nn.Parameter(torch.randn(out_dim, in_dim) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_dim,), float(bias_init) / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(in_dim)
        self.bias_gain = lr_multiplier

    def forward(self, x):
        weight = self.weight * self.weight_gain
        bias = self.bias * self.bias_gain if self.bias_gain != 1 else self.bias
        if self.act == "linear":
            return torch.addmm(bias, x, weight.t())
        return bias_act(x @ weight.t(), bias, act=self.act)


class Conv2d(nn.Module):
    """Convolution with equalised learning rate, resampling, bias, activation and clamp.

    x: [N,in,H,W] -> [N, out, H*up/down, W*up/down], in x's type.
    """

    def __init__(
        self,
        num_in,
        num_out,
        kernel_size,
        *,
        bias=True,
        act="linear",
        up=1,
        down=1,
        resample_filter=(1, 3, 3, 1),
        conv_clamp=None,
    ):
        super().__init__()
        self.act, self.up, self.down, self.conv_clamp = act, up, down, conv_clamp
        self.weight = nn.Parameter(torch.randn(num_out, num_in, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(num_out)) if bias else None
        self.weight_gain = 1 / math.sqrt(num_in * kernel_size**2)
        self.act_gain, self.is_homogeneous = activation(act).gain, activation(act).is_homogeneous
        self.register_buffer("resample_filter", setup_filter(resample_filter), persistent=False)

    def forward(self, x, gain=1.0):
        act_gain = self.act_gain * gain
        clamp = clamp_in(x.dtype, self.conv_clamp, gain)
        if not self.is_homogeneous:
            x = self._convolve(x, self.weight * self.weight_gain, None)
            return bias_act(x, self.bias, act=self.act, gain=act_gain, clamp=clamp)
        # act(gain * x) = gain * act(x): weight and bias take the gain, and the convolution the bias.
        bias = None if self.bias is None else self.bias * act_gain
        x = self._convolve(x, self.weight * (self.weight_gain * act_gain), bias)
        return bias_act(x, act=self.act, gain=1, clamp=clamp)

    def _convolve(self, x, weight, bias):
        weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
        return conv2d_resample(x, weight, bias, up=self.up, down=self.down, resample_filter=self.resample_filter)


class MappingNetwork(nn.Module):
    """The map from a normalised latent z and an embedded label c to w, with the running mean of w for truncation.

    z: [N,z_dim]; c: [N,c_dim]; either width may be 0. Result: ws [N,num_ws,w_dim], or w [N,w_dim] with num_ws None.
    Source: StyleGAN, sections 2 and B (truncation); StyleGAN2-ADA, section 3 (labels).
    """

    def __init__(
        self,
        z_dim,
        c_dim,
        w_dim,
        num_ws,
        *,
        num_layers=8,
        hidden_dim=None,
        embed_dim=None,
        lr_multiplier=0.01,
        act="lrelu",
        w_avg_beta=None,
    ):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = z_dim, c_dim, w_dim, num_ws
        self.num_layers, self.w_avg_beta = num_layers, w_avg_beta
        embed_dim = (w_dim if embed_dim is None else embed_dim) if c_dim > 0 else 0
        hidden_dim = w_dim if hidden_dim is None else hidden_dim
        if c_dim > 0:
            self.embed = FullyConnected(c_dim, embed_dim)
        dims = [z_dim + embed_dim] + [hidden_dim] * (num_layers - 1) + [w_dim]
        if num_layers == 0 and dims[0] != w_dim:
            raise ConfigError(f"a mapping network of no layers leaves the {dims[0]} numbers it gets, not {w_dim}")
        for i in range(num_layers):
            self.add_module(f"fc{i}", FullyConnected(dims[i], dims[i + 1], act=act, lr_multiplier=lr_multiplier))
        if w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z, c=None, truncation_psi=1.0, truncation_cutoff=None, update_w_avg=False):
        """Map z and c to ws; with truncation_psi < 1 the first `truncation_cutoff` ws (None: all) move towards w_avg.

        update_w_avg: fold this batch's mean into w_avg.
        """
        parts, dtype = [], next(self.parameters()).dtype
        if self.z_dim > 0:
            parts.append(normalize_2nd_moment(z.to(dtype)))
        if self.c_dim > 0:
            if c is None:
                raise ValueError(f"this network is conditional: pass labels c of shape [N, {self.c_dim}]")
            parts.append(normalize_2nd_moment(self.embed(c.to(dtype))))
        x = torch.cat(parts, dim=1)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        if update_w_avg and self.w_avg_beta is not None:
            from styleT2I.torch_utils.distributed import averaged  # trainings alone share a batch

            self.w_avg.lerp_(averaged(x.detach().mean(dim=0)), 1 - self.w_avg_beta)
        if self.num_ws is None:
            return x
        ws = x.unsqueeze(1).expand(-1, self.num_ws, -1)  # [N, num_ws, w_dim]
        return self.truncate(ws, truncation_psi, truncation_cutoff)

    def truncate(self, ws, truncation_psi, truncation_cutoff=None):
        """Move the first `truncation_cutoff` of ws [N,num_ws,w_dim] towards w_avg: w_avg + psi * (w - w_avg)."""
        if truncation_psi == 1:
            return ws
        if self.w_avg_beta is None:
            raise ValueError("this mapping network tracks no mean of w, so it cannot truncate")
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([self.w_avg.lerp(ws[:, :cutoff], truncation_psi), ws[:, cutoff:]], dim=1)
