"""Which of CLIP's tensors a fine-tuning trains."""

from __future__ import annotations

from styleT2I.errors import ConfigError
from styleT2I.networks.clip.model import CLIP

_WHOLE_TOWERS = {"all": "", "image": "visual."}  # what their parameters' names begin with


def tuned_names(clip: CLIP, tune: str) -> list[str]:
    """Names of the parameters that train, in the network's order.

    "all": every one. "image": the image tower alone; texts keep their features, so that networks which read these,
    such as a Text-to-Direction, stay of use. "paper": the last visual block, ln_post, the visual projection, the last
    text block, ln_final, text_projection and logit_scale, as StyleT2I (CVPR 2022) intends. "release": the two
    projections and logit_scale, which is all that the released script trains (it reads its list of blocks once before
    AdamW does, so that AdamW finds it empty). A ModifiedResNet has no ln_post: its attention pooling stands for it and
    holds the projection. ConfigError where an image tower has no such parts (timm's).
    """
    names = [name for name, _ in clip.model.named_parameters()]
    if tune in _WHOLE_TOWERS:
        return [f"model.{name}" for name in names if name.startswith(_WHOLE_TOWERS[tune])]
    wanted = [*_visual_parts(names, tune), *_text_parts(names, tune), "logit_scale"]
    return [f"model.{name}" for name in names if any(name == part or name.startswith(f"{part}.") for part in wanted)]


def train_only(clip: CLIP, tune: str) -> None:
    """Set requires_grad of every parameter by `tuned_names`, and the network's mode to match.

    Where a part of a tower is frozen, all stay in evaluation mode: batch norms keep the statistics that the frozen
    layers were trained with.
    """
    tuned = set(tuned_names(clip, tune))
    for name, parameter in clip.named_parameters():
        parameter.requires_grad_(name in tuned)
    clip.train(tune in _WHOLE_TOWERS)


def _visual_parts(names, tune):
    if "visual.proj" in names:
        block = _last_block(names, "visual.transformer.resblocks.")
        pooling, projection = "visual.ln_post", "visual.proj"
    elif "visual.attnpool.c_proj.weight" in names:
        block = _last_block(names, f"{_last_block(names, 'visual.layer')}.")
        pooling, projection = "visual.attnpool", "visual.attnpool.c_proj"
    else:
        raise ConfigError(f"--tune {tune} is defined for ViT and ModifiedResNet image towers only; use --tune all")
    return [projection] if tune == "release" else [block, pooling, projection]


def _text_parts(names, tune):
    prefix = "text." if "text.text_projection" in names else ""  # CustomTextCLIP keeps the text tower in a submodule
    projection = f"{prefix}text_projection"
    if not any(name == projection or name.startswith(f"{projection}.") for name in names):
        raise ConfigError(f"--tune {tune} is defined for CLIP's own text tower only; use --tune all")
    if tune == "release":
        return [projection]
    return [_last_block(names, f"{prefix}transformer.resblocks."), f"{prefix}ln_final", projection]


def _last_block(names, prefix):
    """PREFIX and the highest number that follows it: "transformer.resblocks." -> "transformer.resblocks.11"."""
    numbers = [int(name[len(prefix) :].split(".")[0]) for name in names if name.startswith(prefix)]
    return f"{prefix}{max(numbers)}"
