"""Settings of the trainings of direction networks: what T2D and A2D share, and what each adds."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.config import from_dict, setting, suggestion
from styleT2I.data.training.captions_file import is_captions_file
from styleT2I.errors import ConfigError
from styleT2I.recipes import check_has_data, given, read_recipe

TEXT_ENCODERS = ("clip", "gru")
SPACES = ("w+", "low-rank", "w")


@dataclass(frozen=True, kw_only=True)
class DirectionTrainingConfig:
    """Settings of both trainings; the defaults are the paper's where it states them."""

    generator: str = setting(help="Component of the frozen generator.", metavar="FILE")
    clip: str = setting(help="Component of the frozen CLIP.", metavar="FILE")
    judge: str | None = setting(
        None, "Attribute classifier for the log's metrics; it never trains anything.", metavar="FILE"
    )
    vocabulary: str = "minifaces"  # in which requested attributes are named
    init: str | None = setting(None, "Network of the same shape to go on from, for example a model's.", metavar="FILE")

    batch_size: int = setting(40, "Captions per step.", flag="--batch")
    micro_batch: int | None = setting(
        None,
        "Rows of the batch whose graph is held at a time: less memory and the same gradients, for a third more time. "
        "[default: all]",
        metavar="ROWS",
        low=1,
    )
    lr: float = setting(1e-4, "Learning rate of Adam.")
    lr_decay: bool = False  # cosine down to zero over the run
    truncation_psi: float = setting(0.5, "Truncation psi of the latents trained on.", flag="--trunc", low=0, high=2)
    theta: float | None = setting(None, "Norm of a direction that is free of penalty, in units of W.")  # over all of W+
    theta_rel: float | None = setting(None, "The same in units of the mean distance of w from its mean.")
    use_norm_penalty: bool = setting(True, "Train without the norm penalty.", flag="--no-norm-penalty")
    norm_weight: float = 1.0
    keep_weight: float = 0.0  # of losses.verdict_keep_loss
    jitter: float = 0.0  # colour jitter of the image before CLIP, as a fraction of its range; 0: off
    translate: float = 0.0  # random shift before CLIP, as a fraction of the image's side; 0: off

    text_encoder: str = setting(  # "gru": the paper's GloVe + bi-GRU
        "clip",
        "Of the frozen CLIP, or of word vectors and a GRU that is trained along.",
        flag="--text-features",
        choices=TEXT_ENCODERS,
    )
    glove: str | None = setting(  # None: word vectors are learnt from scratch
        None, "GloVe text file for --text-features gru.", metavar="FILE"
    )
    embedding_dim: int = 64  # of word vectors learnt from scratch
    hidden_dim: int | None = setting(None, "Width of the network.", low=1)  # None: num_ws * w_dim, the paper's
    num_hidden: int = 2
    space: str = setting("w+", "Where a direction lives.", choices=SPACES)
    rank: int = setting(4, "Directions that --space low-rank mixes.", low=1)
    standardize: bool = False

    eval_psi: float = 0.7

    def __post_init__(self):
        if self.text_encoder not in TEXT_ENCODERS:
            hint = suggestion(self.text_encoder, TEXT_ENCODERS)
            raise ConfigError(f"unknown text encoder {self.text_encoder!r}{hint}")
        if (self.theta is None) == (self.theta_rel is None):
            raise ConfigError("give exactly one of theta (units of W) and theta_rel (units of w's mean distance)")
        for name in ("theta", "theta_rel"):
            if getattr(self, name) is not None and getattr(self, name) < 0:
                raise ConfigError(f"{name} is a length and cannot be {getattr(self, name)}")
        if self.micro_batch is not None and self.micro_batch < 1:
            raise ConfigError(f"micro_batch is a number of rows from 1 on, not {self.micro_batch}")
        if self.glove and self.text_encoder != "gru":
            raise ConfigError("glove vectors are read by the GRU text encoder only; add --text-features gru")


@dataclass(frozen=True, kw_only=True)
class T2DConfig(DirectionTrainingConfig):
    """Settings of T2D's training."""

    data: str = setting(
        help="Captions: a data set's folder, minifaces:DISTRIBUTION/SPLIT[:NUM], or a text file of one a line (.txt).",
        metavar="SPEC",
    )
    eval_data: str | None = setting(None, "Captions and images for the log's metrics.", metavar="SPEC")
    contrastive_weight: float = setting(  # every caption of a batch is compared with the others
        1.0, "Weight of the paper's contrastive loss.", low=0
    )
    flip_weight: float = setting(
        0.0,
        "Weight of the loss against captions with one attribute turned round, which leaves alone what the caption "
        "does not state.",
        low=0,
    )
    keep_weight: float = setting(
        0.0,
        "Weight of the loss that holds CLIP's verdicts on attributes that the caption leaves open.",
        low=0,
    )
    symmetric: bool = setting(
        False,
        "Whether the contrastive loss also asks which image a sentence fits, or only, as the paper has it, which "
        "sentence an image fits.",
        flag="--symmetric/--image-to-text",
    )
    ignore_also_true: bool = False  # captions that the row's own implies are not wrong answers
    shuffle_captions: bool = setting(False, "Control: read each direction from another face's caption.")
    eval_num: int = 256  # captions of eval_data in every evaluation

    def __post_init__(self):
        super().__post_init__()
        if self.batch_size < 2:
            raise ConfigError(
                f"the contrastive loss compares captions: batch_size must be at least 2, not {self.batch_size}"
            )


@dataclass(frozen=True, kw_only=True)
class A2DConfig(DirectionTrainingConfig):
    """Settings of A2D's training; the defaults are those of T2D where the paper is silent."""

    judge: str | None = setting(
        None,
        "Attribute classifier for the log's metrics and the strengths of edits; it never trains anything.",
        metavar="FILE",
    )
    vocabulary: str = setting("minifaces", "Attributes to learn directions of.", metavar="NAME|FILE")
    attributes: tuple[str, ...] = setting(
        (), "Only these of them, separated by commas.", metavar="LIST", separator=","
    )  # (): all of the vocabulary
    segmenter: str | None = setting(
        None, "Source of regions for the spatial constraint (docs/regions.md).", metavar="SOURCE"
    )
    batch_size: int = setting(40, "Latents per step.", flag="--batch")
    alpha: float = setting(  # of w + a and w - a; the paper's value is not known to us
        0.2, "Margin of the semantic matching loss, in cosine.", low=0
    )
    semantic_weight: float = setting(1.0, "Weight of the semantic matching loss.", low=0)
    spatial_weight: float = setting(1.0, "Weight of the spatial constraint; 0 drops it.", low=0)
    rest_region: str | None = setting(
        None,
        "Region of attributes without one, for example face; without it they skip the constraint.",
        metavar="REGION",
    )
    keep_weight: float = setting(0.0, "Weight of the loss that holds CLIP's verdicts on the other attributes.", low=0)
    eval_num: int = 32  # latents per attribute and sign in every evaluation
    calibration_num: int = 100  # latents on which the strengths of edits are calibrated at the end; 0: never
    surroundings_num: int = 100  # latents on which, with a segmenter, what moves the surroundings is measured; 0: never
    clarity: float | None = None  # that the adjustment goes by with this network (AdjustmentConfig); None: the default

    def __post_init__(self):
        super().__post_init__()
        for name in ("alpha", "semantic_weight", "spatial_weight", "norm_weight", "keep_weight"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} of A2D training cannot be {getattr(self, name)}; it starts at 0")
        if self.batch_size < 1 or self.lr <= 0 or self.eval_num < 1:
            raise ConfigError("batch_size and eval_num of A2D training start at 1, and lr is above 0")


CONFIGS = {"t2d": T2DConfig, "a2d": A2DConfig}


def direction_config(network: str, recipe, **changes) -> tuple[int, DirectionTrainingConfig]:
    """The number of steps and the settings of a training of "t2d" or "a2d", by a preset's name or the path of a recipe.

    changes: settings that replace the recipe's; None: left as it is. ConfigError where settings do not fit each other.
    """
    steps, settings = read_recipe(network, recipe, CONFIGS[network])
    changes = given(changes)
    if "theta" in changes and "theta_rel" in changes:
        raise ConfigError("give one of --theta and --theta-rel, not both")
    if "theta" in changes or "theta_rel" in changes:
        settings = {key: value for key, value in settings.items() if key not in ("theta", "theta_rel")}
    settings = {**settings, **changes}
    if network == "t2d":
        check_has_data(recipe, settings)
        if is_captions_file(settings["data"]):  # the recipe's images to measure on are those of its own data
            settings["eval_data"] = changes.get("eval_data")
    return steps, from_dict(CONFIGS[network], settings)
