"""CLIP: one adapter over open_clip's architectures and our small one, differentiable to the image."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.networks.clip.tokenizers import Tokenizer, build_tokenizer
from styleT2I.networks.small import build_small

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
INTERPOLATIONS = ("bicubic", "bilinear")
TOKENS_AT_A_TIME = 32  # of which texts have a multiple where few shapes are wanted
_SIZES = {"layers", "width", "heads", "head_width", "image_size", "patch_size", "context_length", "vocab_size"}
# Settings may come from foreign files, which must not demand endless work or memory.
_MAX_SIZE, _MAX_SIZES = 1 << 24, {"layers": 256, "context_length": 4096, "image_size": 2048}


@dataclass(frozen=True)
class CLIPConfig:
    """Everything that turns an image and a sentence into CLIP features, apart from the weights."""

    model: dict  # open_clip's model config: embed_dim, vision_cfg, text_cfg and the other keys of its JSON files
    name: str = "custom"  # what models trained against this CLIP must agree on
    quick_gelu: bool = False  # x * sigmoid(1.702 x) in place of GELU; OpenAI's weights need it
    tokenizer: dict = field(default_factory=lambda: {"kind": "openai"})  # see networks.clip.tokenizers
    image_mean: tuple[float, float, float] = OPENAI_MEAN  # of pixels in [0, 1]
    image_std: tuple[float, float, float] = OPENAI_STD
    interpolation: str = "bicubic"  # how an image of another size is brought to the tower's
    antialias: bool = True  # low-pass before shrinking, as Pillow does; the released StyleT2I code ran without

    def __post_init__(self):
        missing = {"embed_dim", "vision_cfg", "text_cfg"} - set(self.model)
        if missing:
            raise ConfigError(f"the CLIP model config lacks {', '.join(sorted(missing))}")
        if "quick_gelu" in self.model:
            raise ConfigError("quick_gelu belongs beside the CLIP model config, not into it")
        if self.interpolation not in INTERPOLATIONS:
            hint = suggestion(self.interpolation, INTERPOLATIONS)
            raise ConfigError(f"unknown interpolation {self.interpolation!r}{hint}")
        _check_sizes(self.model)

    @property
    def image_size(self) -> int:
        """Side of the square image that the image tower reads."""
        size = self.model["vision_cfg"].get("image_size", 224)
        return size[0] if isinstance(size, (list, tuple)) else size


def open_clip_config(architecture: str, pretrained: str | None = None, **changes) -> CLIPConfig:
    """The configuration of a named open_clip architecture, with no weights and no download.

    `pretrained` is a tag of open_clip ("openai", "laion2b_s34b_b79k"), from which the normalisation, the interpolation
    and QuickGELU are taken; `changes` replace fields. ConfigError on an unknown name or tag.
    """
    import open_clip

    model = open_clip.get_model_config(architecture)
    if model is None:
        hint = suggestion(architecture, open_clip.list_models())
        raise ConfigError(f"unknown open_clip architecture {architecture!r}{hint}")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if pretrained is not None and pretrained not in tags:
        raise ConfigError(f"{architecture} has no pretrained tag {pretrained!r}{suggestion(pretrained, tags)}")
    tag = open_clip.get_pretrained_cfg(architecture, pretrained) if pretrained else {}
    quick_gelu = bool(model.pop("quick_gelu", False)) or bool(tag.get("quick_gelu")) or pretrained == "openai"
    text_cfg = model["text_cfg"]
    is_bpe = text_cfg.get("vocab_size", 49408) == 49408 and not text_cfg.get("hf_tokenizer_name")
    fields = {"model": model, "name": architecture, "quick_gelu": quick_gelu}
    fields["tokenizer"] = {"kind": "openai"} if is_bpe else {"kind": "open_clip", "architecture": architecture}
    for key, name in (("mean", "image_mean"), ("std", "image_std"), ("interpolation", "interpolation")):
        if tag.get(key):
            fields[name] = tag[key]
    return CLIPConfig(**{**fields, **changes})


class CLIP(nn.Module):
    """Image and sentence features in one space, both L2-normalised [N, embed_dim].

    `model` is open_clip's own module, so every weight file that open_clip reads fits under the prefix "model."; with
    "small" in its vision_cfg it is that of networks.small, which uses the same names.
    `tokenizer` may be replaced by anything that follows networks.clip.tokenizers.Tokenizer.
    """

    kind = "clip"
    Config = CLIPConfig

    def __init__(self, config: CLIPConfig, tokenizer: Tokenizer | None = None):
        super().__init__()
        self.config = config
        self.model = _build_model(config)
        self.model.to(memory_format=torch.channels_last)  # 1.3-2x faster convolutions on a CPU, same numbers
        self.tokenizer = build_tokenizer(config.tokenizer, self.context_length) if tokenizer is None else tokenizer
        self.register_buffer("image_mean", torch.tensor(config.image_mean).view(3, 1, 1), persistent=False)
        self.register_buffer("image_std", torch.tensor(config.image_std).view(3, 1, 1), persistent=False)

    @classmethod
    def example(cls) -> tuple[CLIP, tuple[torch.Tensor, torch.Tensor]]:
        """A tiny instance and the inputs of its forward."""
        model = {
            "embed_dim": 8,
            "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
            "text_cfg": {"context_length": 6, "vocab_size": 12, "width": 16, "heads": 2, "layers": 1},
        }
        image = torch.linspace(-1, 1, 3 * 3 * 40 * 40).view(3, 3, 40, 40).sin()
        text_ids = torch.tensor([[1, 5, 6, 11, 0, 0], [1, 7, 11, 0, 0, 0]])
        return cls(CLIPConfig(model=model, tokenizer={"kind": "none"})), (image, text_ids)

    @property
    def embed_dim(self) -> int:
        return self.config.model["embed_dim"]

    @property
    def context_length(self) -> int:
        """Number of tokens a sentence is padded or cut to."""
        return self.model.context_length

    @property
    def temperature_scale(self) -> torch.Tensor:
        """Factor on cosines before a softmax: exp(logit_scale), about 100 for OpenAI's weights."""
        return self.model.logit_scale.exp()

    def preprocess(self, image: torch.Tensor) -> torch.Tensor:
        """image [N, 3, H, W] in [-1, 1] -> normalised pixels [N, 3, image_size, image_size], differentiable.

        As OpenAI's transform: the shorter side is resized to image_size, then the centre is cut out.
        """
        size = self.config.image_size
        height, width = image.shape[-2:]
        if (height, width) != (size, size):
            scale = size / min(height, width)
            shape = (max(size, round(height * scale)), max(size, round(width * scale)))
            image = F.interpolate(
                image, size=shape, mode=self.config.interpolation, align_corners=False, antialias=self.config.antialias
            )
            top, left = (shape[0] - size) // 2, (shape[1] - size) // 2
            image = image[..., top : top + size, left : left + size]
        pixels = (image + 1) / 2
        return ((pixels - self.image_mean) / self.image_std).contiguous(memory_format=torch.channels_last)

    def encode_image(self, image: torch.Tensor) -> torch.Tensor:
        """Features [N, embed_dim] of images [N, 3, H, W] in [-1, 1] of any size."""
        return F.normalize(self.model.encode_image(self.preprocess(image)), dim=-1)

    def encode_text(self, texts: list[str] | torch.Tensor) -> torch.Tensor:
        """Features [N, embed_dim] of sentences, or of token ids [N, context_length] made elsewhere.

        Sentences longer than the context are cut at its end, as OpenAI's tokenizer does; `overlong` tells.
        """
        return self.encode_ids(self.short_ids(texts).to(self.image_mean.device))

    def encode_ids(self, ids: torch.Tensor) -> torch.Tensor:
        """Features [N, embed_dim] of what `short_ids` returned, on the model's device."""
        return F.normalize((_encode_up_to_end if self.is_causal else _encode)(self.model, ids), dim=-1)

    def short_ids(self, texts: list[str] | torch.Tensor, multiple: int = 1) -> torch.Tensor:
        """Token ids int64 [N, L] without the columns behind the longest text, L a multiple of this number if it can be.

        Attention is causal, so the features are the same, and most texts fill a sixth of the context; where it is not,
        L is the context's length. Made where the tokenizer makes them, on the CPU.
        """
        ids = self._ids(texts)
        if not self.is_causal or not len(ids):
            return ids
        length = int(ids.argmax(dim=-1).max()) + 1
        return ids[:, : -(-length // multiple) * multiple]

    @property
    def is_causal(self) -> bool:
        """Whether a sentence is read at its end mark, and no token sees those after it, as in OpenAI's CLIP."""
        return getattr(self.model, "text_pool_type", None) == "argmax" and self.model.attn_mask is not None

    def forward(self, image: torch.Tensor, texts: list[str] | torch.Tensor) -> torch.Tensor:
        """Logits [N images, M sentences]: cosines times the temperature scale."""
        return self.temperature_scale * self.encode_image(image) @ self.encode_text(texts).t()

    def tokenize(self, texts: list[str] | torch.Tensor) -> torch.Tensor:
        """Token ids [N, context_length] on the model's device."""
        return self._ids(texts).to(self.image_mean.device)

    def _ids(self, texts):
        if isinstance(texts, str):
            raise TypeError("encode_text takes a list of sentences, not one string")
        return (texts if isinstance(texts, torch.Tensor) else self.tokenizer(texts)).long()

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words of the text outside the vocabulary, each with the nearest known one (or None)."""
        return self.tokenizer.unknown_words(text)

    def overlong(self, text: str) -> int:
        """How many tokens of the text do not fit into the context: 0 for nearly every sentence."""
        return max(0, self.tokenizer.num_tokens(text) - self.context_length)

    def freeze(self) -> CLIP:
        """Evaluation mode without weight gradients, as the guide of other networks; image gradients still flow."""
        return self.eval().requires_grad_(False)


def _check_sizes(model):
    """Raise ConfigError unless the sizes in a model config are such as CLIPs have."""
    for part in ("vision_cfg", "text_cfg"):
        cfg = model[part]
        if not isinstance(cfg, dict):
            raise ConfigError(f"{part} of the CLIP model config takes a mapping of settings, got {cfg!r:.40}")
        for name in _SIZES & cfg.keys():
            values = cfg[name] if isinstance(cfg[name], (list, tuple)) else [cfg[name]]
            for value in values:
                is_whole = isinstance(value, int) and not isinstance(value, bool)
                if value is not None and not (is_whole and 1 <= value <= _MAX_SIZES.get(name, _MAX_SIZE)):
                    raise ConfigError(f"no CLIP has the {name} {value!r} of {part}")


def _check_tower_name(part, name):
    """Raise ConfigError unless `name` is a tower of timm's or open_clip's own: any other is fetched from the Hub."""
    import open_clip

    if part == "vision_cfg":
        is_known = isinstance(name, str) and re.fullmatch(r"\w+(\.\w+)?", name)
    else:
        is_known = name in (
            open_clip.get_model_config(known)[part].get("hf_model_name") for known in open_clip.list_models()
        )
    if not is_known:
        raise ConfigError(f"the CLIP model config wants the tower {str(name)[:80]!r}, which open_clip does not list")


def _with_positions_first(clip):
    """The model with its transformers on [L, N, D]: on [N, L, D] torch's attention multiplies sample by sample, and a
    ViT-B/32 takes 1.6 times as long on a CPU, forward and back."""
    from open_clip.transformer import ResidualAttentionBlock, Transformer

    for part in clip.modules():
        if isinstance(part, Transformer) and all(type(block) is ResidualAttentionBlock for block in part.resblocks):
            part.batch_first = False
            for block in part.resblocks:
                block.attn.batch_first = False
    return clip


def _encode(model, ids):
    return model.encode_text(ids)


def _encode_up_to_end(model, ids):
    """Text features by open_clip's CLIP of token ids [N, L], L up to its context's length."""
    return encode_causal(model, ids, ids.argmax(dim=-1))


def encode_causal(model: nn.Module, ids: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Text features [N, D], not normalised, of ids [N, L] whose end marks stand at `ends` [N]; see `is_causal`."""
    length = ids.shape[1]
    x = model.token_embedding(ids) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, model.attn_mask[:length, :length]))
    x = x.gather(1, ends[:, None, None].expand(-1, 1, x.shape[2]))[:, 0]
    projection = model.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Module) else x @ projection


def _build_model(config):
    """The network for the configuration, randomly initialised: open_clip's, but for small image towers our own."""
    is_small = config.model["vision_cfg"].get("small") is not None
    try:
        return build_small(config.model, config.image_size, config.quick_gelu) if is_small else _open_clip_model(config)
    except (TypeError, ValueError, AssertionError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        whose = "networks.small" if is_small else "open_clip"
        raise ConfigError(f"{whose} cannot build the CLIP model config {config.name!r}: {reason[:200]}") from error


def _open_clip_model(config):
    import open_clip

    model = copy.deepcopy(config.model)
    is_custom = model.pop("custom_text", False) or "hf_model_name" in model["text_cfg"]
    build = open_clip.CustomTextCLIP if is_custom else open_clip.CLIP
    if "multimodal_cfg" in model:
        build = open_clip.CoCa
    for tower, key in (("vision_cfg", "timm_model_pretrained"), ("text_cfg", "hf_model_pretrained")):
        if f"{key.split('_')[0]}_model_name" in model[tower]:
            _check_tower_name(tower, model[tower][f"{key.split('_')[0]}_model_name"])
            model[tower][key] = False  # weights come from our own files, never from a download on the side
    return _with_positions_first(build(**model, quick_gelu=config.quick_gelu))
