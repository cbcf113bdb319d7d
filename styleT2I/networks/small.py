"""Networks for images of small sides: image towers, their convolution with batch norm, and the CLIP made of one.

open_clip's towers begin by dividing the resolution by 4 (ResNet) or 8 and more (ViT); the lips and earrings of a
64-pixel face are a few pixels wide and are learnt late there, or never. These begin at full resolution.

The CLIP is a small tower beside CLIP's text transformer (Radford et al. 2021, sec. 2.4). Its modules have open_clip's
names, so that its weights are read like any other CLIP's; open_clip itself, which takes as long to import as torch, is
not needed.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from styleT2I.errors import ConfigError

_TEXT_SETTINGS = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}
_PARTS = {"embed_dim", "vision_cfg", "text_cfg"}


class ConvNorm(nn.Sequential):
    """A convolution without bias (key "0") and its batch norm ("1"); the stride divides the size.

    In evaluation mode the norm is folded into the convolution's weight, which saves a pass over the map.
    """

    def __init__(self, in_dim: int, out_dim: int, kernel_size: int = 3, stride: int = 1):
        conv = nn.Conv2d(in_dim, out_dim, kernel_size, stride, kernel_size // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out_dim))

    def forward(self, x):
        conv, norm = self
        if norm.training:
            return super().forward(x)
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()  # [O]
        bias = norm.bias - norm.running_mean * scale
        return F.conv2d(x, conv.weight * scale[:, None, None, None], bias, conv.stride, conv.padding)


class SmallTower(nn.Module):
    """Convolutions from full resolution on, halved after every width; the image as a vector [N, embed_dim].

    What is pooled: the mean and the maximum of the last map, and a few channels that keep their place. `pool` says how
    a map is halved, "stride" (by its convolution) or "max" (by its maximum): two towers that make different errors.
    """

    def __init__(self, embed_dim: int, image_size: int, widths: tuple[int, ...], pool: str):
        super().__init__()
        stages, in_dim = [], 3
        for index, width in enumerate(widths):
            halve = index > 0
            stages.append(_ConvNormReLU(in_dim, width, stride=2 if halve and pool == "stride" else 1))
            stages.append(_ConvNormReLU(width, width))
            if pool == "max" and index < len(widths) - 1:
                stages.append(nn.MaxPool2d(2))
            in_dim = width
        self.stages = nn.Sequential(*stages)
        side = image_size >> (len(widths) - 1)
        self.place = _ConvNormReLU(in_dim, 8, kernel_size=1)
        self.proj = nn.Linear(2 * in_dim + 8 * side * side, embed_dim)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stages(image)
        placed = self.place(x).flatten(1)
        return self.proj(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), placed], dim=1))


class _ConvNormReLU(ConvNorm):
    def forward(self, x):
        return F.relu(super().forward(x), inplace=True)


class SmallCLIP(nn.Module):
    """Features, not normalised, of pixels [N, 3, S, S] and of token ids [N, context_length], each [N, embed_dim].

    A sentence is read at the place of its highest id, which is the end mark's.
    """

    def __init__(self, embed_dim: int, image_size: int, small: dict, text_cfg: dict, quick_gelu: bool = False):
        """small: settings of SmallTower; text_cfg: context_length, vocab_size, width, heads, layers and mlp_ratio."""
        super().__init__()
        text = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12, **text_cfg}
        width = text["width"]
        if width % text["heads"]:
            raise ConfigError(f"the text width {width} is not a multiple of its {text['heads']} heads")
        self.visual = SmallTower(embed_dim, image_size, **small)
        self.context_length, self.vocab_size = text["context_length"], text["vocab_size"]
        self.token_embedding = nn.Embedding(self.vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(self.context_length, width))
        self.transformer = _Transformer(
            width, text["layers"], text["heads"], text.get("mlp_ratio", 4.0), QuickGELU if quick_gelu else nn.GELU
        )
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        future = torch.full((self.context_length, self.context_length), float("-inf")).triu(1)
        self.register_buffer("attn_mask", future, persistent=False)  # causal
        self._initialise(width)

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.visual(pixels)

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.token_embedding(ids) + self.positional_embedding  # [N, L, width]
        x = self.ln_final(self.transformer(x, self.attn_mask))
        return x[torch.arange(len(x), device=x.device), ids.argmax(dim=-1)] @ self.text_projection

    def _initialise(self, width):
        """Initialise as GPT-2 and CLIP do: the more layers, the less each adds to the residual stream at first."""
        blocks = self.transformer.resblocks
        residual_std = (2 * len(blocks) * width) ** -0.5
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        for block in blocks:
            nn.init.normal_(block.attn.in_proj_weight, std=width**-0.5)
            nn.init.normal_(block.attn.out_proj.weight, std=residual_std)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=residual_std)
        nn.init.normal_(self.text_projection, std=width**-0.5)


def build_small(model: dict, image_size: int, quick_gelu: bool) -> SmallCLIP:
    """The network of a CLIP model config whose vision_cfg has "small"; ConfigError for an unknown setting."""
    text, small = model["text_cfg"], model["vision_cfg"]["small"]
    if unknown := sorted({*(set(model) - _PARTS), *(set(text) - _TEXT_SETTINGS)}):
        raise ConfigError(f"a CLIP with a small image tower has no setting {unknown[0]!r}")
    return SmallCLIP(model["embed_dim"], image_size, small, text, quick_gelu)


class QuickGELU(nn.Module):
    """The activation of OpenAI's weights: x * sigmoid(1.702 x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class _Transformer(nn.Module):
    def __init__(self, width, layers, heads, mlp_ratio, activation):
        super().__init__()
        self.resblocks = nn.ModuleList(_Block(width, heads, mlp_ratio, activation) for _ in range(layers))

    def forward(self, x, mask):
        x = x.transpose(0, 1).contiguous()  # [L, N, width]: attention of [N, L, width] multiplies sample by sample
        for block in self.resblocks:
            x = block(x, mask)
        return x.transpose(0, 1)


class _Block(nn.Module):
    """Attention and a two-layer perceptron, each behind a normalisation and added to what came in."""

    def __init__(self, width, heads, mlp_ratio, activation):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        inner = int(width * mlp_ratio)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, inner))
        self.mlp.add_module("gelu", activation())
        self.mlp.add_module("c_proj", nn.Linear(inner, width))

    def forward(self, x, mask):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))
