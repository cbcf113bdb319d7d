"""Settings of Attribute-to-Direction training and the presets that hold the paper's."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.config import from_dict, suggestion
from styleT2I.errors import ConfigError

TEXT_ENCODERS = ("clip", "gru")


@dataclass(frozen=True)
class A2DConfig:
    """What an A2D run trains, on what and against what; the defaults are those of T2D where the paper is silent."""

    generator: str  # component of the frozen StyleGAN2
    clip: str  # component of the frozen CLIP that guides
    segmenter: str | None = None  # source of regions for the spatial constraint; None: no constraint
    judge: str | None = None  # attribute classifier that only looks, and calibrates the strengths of edits
    vocabulary: str = "minifaces"
    attributes: tuple[str, ...] = ()  # those trained; (): all of the vocabulary

    batch_size: int = 40
    micro_batch: int | None = None  # rows whose graph is held at a time; None: the whole batch. Same gradients
    lr: float = 1e-4  # of Adam
    lr_decay: bool = False  # cosine down to zero over the run
    truncation_psi: float = 0.5  # of the latents trained on
    alpha: float = 0.2  # least difference of the cosines of w + a and w - a; the paper's value is not known to us
    semantic_weight: float = 1.0
    spatial_weight: float = 1.0
    rest_region: str | None = None  # region of attributes without one, say "face"; None: they skip the constraint
    theta: float | None = None  # largest ||a|| free of penalty, in units of W over the flattened W+
    theta_rel: float | None = None  # the same in units of the mean distance of w (flattened to W+) from w_avg
    use_norm_penalty: bool = True
    norm_weight: float = 1.0
    keep_weight: float = 0.0  # of losses.verdict_keep_loss on all other attributes, as CLIP sees them
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
    eval_num: int = 32  # latents a attribute and sign in every evaluation
    calibration_num: int = 100  # latents on which the strengths of edits are calibrated at the end; 0: never

    def __post_init__(self):
        if self.text_encoder not in TEXT_ENCODERS:
            hint = suggestion(self.text_encoder, TEXT_ENCODERS)
            raise ConfigError(f"unknown text encoder {self.text_encoder!r}{hint}")
        if (self.theta is None) == (self.theta_rel is None):
            raise ConfigError("give exactly one of theta (units of W) and theta_rel (units of w's mean distance)")
        for name in ("theta", "theta_rel", "alpha", "semantic_weight", "spatial_weight", "norm_weight", "keep_weight"):
            if getattr(self, name) is not None and getattr(self, name) < 0:
                raise ConfigError(f"{name} of A2D training cannot be {getattr(self, name)}; it starts at 0")
        if self.batch_size < 1 or self.lr <= 0 or self.eval_num < 1:
            raise ConfigError("batch_size and eval_num of A2D training start at 1, and lr is above 0")
        if self.micro_batch is not None and self.micro_batch < 1:
            raise ConfigError(f"micro_batch is a number of latents from 1 on, not {self.micro_batch}")
        if self.glove and self.text_encoder != "gru":
            raise ConfigError("glove vectors are read by the GRU text encoder only; add --text-features gru")


_PAPER = {"batch_size": 40, "lr": 1e-4, "truncation_psi": 0.5, "eval_psi": 0.5, "text_encoder": "gru"}
_CELEBA = {**_PAPER, "vocabulary": "celeba"}
_CUB = {**_PAPER, "vocabulary": "cub", "spatial_weight": 0.0}  # no segmenter of birds is at hand
_FACES = {
    "lr": 2e-3,
    "lr_decay": True,
    "truncation_psi": 0.7,
    "alpha": 0.3,
    "semantic_weight": 20.0,
    "theta_rel": 0.2,
    "keep_weight": 1.0,
    "jitter": 0.1,
    "translate": 0.06,
    "hidden_dim": 256,
    "space": "low-rank",
    "standardize": True,
}
# Name -> (steps, settings). The release has no A2D: steps and theta are those of its T2D scripts.
PRESETS = {
    "celebahq": (60_001, {**_CELEBA, "theta": 8.0}),
    "cub": (80_001, {**_CUB, "theta": 8.0}),
    "ffhq": (60_001, {**_CELEBA, "theta": 10.0}),
    "nabirds": (80_001, {**_CUB, "theta": 15.0}),
    "minifaces": (800, {**_FACES, "vocabulary": "minifaces", "batch_size": 28}),
    "portraits": (2_000, {**_FACES, "vocabulary": "portraits", "batch_size": 31}),
}


def preset_config(preset: str, **changes) -> tuple[int, A2DConfig]:
    """The number of steps and the settings of a preset, with the changes that are not None applied; ConfigError."""
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}{suggestion(preset, PRESETS)}")
    steps, settings = PRESETS[preset]
    changes = {key: value for key, value in changes.items() if value is not None}
    if "theta" in changes and "theta_rel" in changes:
        raise ConfigError("give one of --theta and --theta-rel, not both")
    if "theta" in changes or "theta_rel" in changes:
        settings = {key: value for key, value in settings.items() if key not in ("theta", "theta_rel")}
    return steps, from_dict(A2DConfig, {**settings, **changes})
