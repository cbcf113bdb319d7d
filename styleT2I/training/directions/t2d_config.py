"""Settings of Text-to-Direction training and the presets that hold the paper's."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.config import from_dict, suggestion
from styleT2I.errors import ConfigError

TEXT_ENCODERS = ("clip", "gru")


@dataclass(frozen=True)
class T2DConfig:
    """What a T2D run trains, on what and against what; the defaults are the paper's where it states them."""

    generator: str  # component of the frozen StyleGAN2
    clip: str  # component of the frozen CLIP that guides
    data: str  # captions to train on, as data.dataset.open_dataset reads it
    eval_data: str | None = None  # captions and pictures that the log's figures are taken on
    judge: str | None = None  # attribute classifier that only looks; None: the log has losses alone
    vocabulary: str = "minifaces"  # in which requested attributes are named

    batch_size: int = 40
    micro_batch: int | None = None  # rows whose graph is held at a time; None: the whole batch. Same gradients
    lr: float = 1e-4  # of Adam
    lr_decay: bool = False  # cosine down to zero over the run
    truncation_psi: float = 0.5  # of the latents trained on
    theta: float | None = None  # largest ||s|| free of penalty, in units of W over the flattened W+
    theta_rel: float | None = None  # the same in units of the mean distance of w (flattened to W+) from w_avg
    use_norm_penalty: bool = True
    norm_weight: float = 1.0
    contrastive_weight: float = 1.0  # of the paper's loss, whose wrong answers are the batch's other captions
    flip_weight: float = 0.0  # of losses.attribute_flip_loss, whose wrong answers turn one stated attribute round
    keep_weight: float = 0.0  # of losses.verdict_keep_loss on what the caption leaves open, as CLIP sees it
    symmetric: bool = False  # add the text-to-image half of the contrastive loss
    ignore_also_true: bool = False  # captions that the own caption implies are no wrong answers
    shuffle_captions: bool = False  # control: each direction is read from another face's caption
    jitter: float = 0.0  # colour jitter of the image before CLIP, as a share of its range; 0: off
    translate: float = 0.0  # random shift before CLIP, as a share of the image's side; 0: off

    text_encoder: str = "clip"  # "clip": frozen features; "gru": the paper's GloVe + bi-GRU, trained along
    glove: str | None = None  # GloVe text file of "gru"; None: word vectors are learnt from scratch
    embedding_dim: int = 64  # of word vectors learnt from scratch
    hidden_dim: int | None = None  # width of the network; None: num_ws * w_dim, the paper's
    num_hidden: int = 2
    space: str = "w+"
    rank: int = 4
    standardize: bool = False

    eval_psi: float = 0.7
    eval_num: int = 256  # captions of eval_data in every evaluation

    def __post_init__(self):
        if self.text_encoder not in TEXT_ENCODERS:
            hint = suggestion(self.text_encoder, TEXT_ENCODERS)
            raise ConfigError(f"unknown text encoder {self.text_encoder!r}{hint}")
        if (self.theta is None) == (self.theta_rel is None):
            raise ConfigError("give exactly one of theta (units of W) and theta_rel (units of w's mean distance)")
        for name in ("theta", "theta_rel"):
            if getattr(self, name) is not None and getattr(self, name) < 0:
                raise ConfigError(f"{name} is a length and cannot be {getattr(self, name)}")
        if self.batch_size < 2:
            raise ConfigError(
                f"the contrastive loss compares captions: batch_size must be at least 2, not {self.batch_size}"
            )
        if self.micro_batch is not None and self.micro_batch < 1:
            raise ConfigError(f"micro_batch is a number of captions from 1 on, not {self.micro_batch}")
        if self.glove and self.text_encoder != "gru":
            raise ConfigError("glove vectors are read by the GRU text encoder only; add --text-features gru")


_PAPER = {"batch_size": 40, "lr": 1e-4, "truncation_psi": 0.5, "eval_psi": 0.5, "text_encoder": "gru"}
_CELEBA = {**_PAPER, "vocabulary": "celeba"}
_CUB = {**_PAPER, "vocabulary": "cub"}
_FACES = {
    "batch_size": 16,
    "lr": 2e-3,
    "lr_decay": True,
    "truncation_psi": 0.7,
    "theta_rel": 0.26,
    "contrastive_weight": 0.2,
    "flip_weight": 1.0,
    "keep_weight": 1.0,
    "ignore_also_true": True,
    "jitter": 0.1,
    "translate": 0.06,
    "hidden_dim": 512,
    "space": "low-rank",
    "standardize": True,
    "eval_num": 512,
}
# Name -> (steps, settings). theta and steps per data set: the released training scripts of StyleT2I (CVPR 2022).
PRESETS = {
    "celebahq": (60_001, {**_CELEBA, "theta": 8.0}),
    "cub": (80_001, {**_CUB, "theta": 8.0}),
    "ffhq": (60_001, {**_CELEBA, "theta": 10.0}),
    "nabirds": (80_001, {**_CUB, "theta": 15.0}),
    "minifaces": (
        4_000,
        {
            **_FACES,
            "data": "minifaces:biased/train:20000",
            "eval_data": "minifaces:biased/test:512",
            "vocabulary": "minifaces",
        },
    ),
    "portraits": (
        6_000,
        {
            **_FACES,
            "data": "portraits:biased/train",
            "eval_data": "portraits:biased/test:512",
            "vocabulary": "portraits",
        },
    ),
}


def preset_config(preset: str, **changes) -> tuple[int, T2DConfig]:
    """The number of steps and the settings of a preset, with the changes that are not None applied; ConfigError."""
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}{suggestion(preset, PRESETS)}")
    steps, settings = PRESETS[preset]
    changes = {key: value for key, value in changes.items() if value is not None}
    if "theta" in changes and "theta_rel" in changes:
        raise ConfigError("give one of --theta and --theta-rel, not both")
    if "theta" in changes or "theta_rel" in changes:
        settings = {key: value for key, value in settings.items() if key not in ("theta", "theta_rel")}
    settings = {**settings, **changes}
    if "data" not in settings:
        raise ConfigError(f"the preset {preset} has no data of its own; add --data FOLDER")
    return steps, from_dict(T2DConfig, settings)
