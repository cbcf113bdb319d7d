"""A small training of every kind, by name, and its state at the end."""

import os
import signal
import time

import torch
from torch.nn import functional as F

from styleT2I.data.dataset import index_order
from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig
from styleT2I.torch_utils.distributed import draw_rows, own_rows
from styleT2I.training.baselines.registry import baseline_config, task_config
from styleT2I.training.baselines.registry import new_task as new_baseline
from styleT2I.training.checkpoints import flatten_state, newest_checkpoint
from styleT2I.training.clip.config import preset_config
from styleT2I.training.clip.task import CLIPTask
from styleT2I.training.directions.a2d import A2DTask
from styleT2I.training.directions.config import A2DConfig, T2DConfig
from styleT2I.training.directions.t2d import T2DTask
from styleT2I.training.engine import RunConfig, run
from styleT2I.training.judges.config import JudgeConfig, SegmenterTrainingConfig
from styleT2I.training.judges.judge import JudgeTask
from styleT2I.training.judges.segmenter import SegmenterTask
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend
from styleT2I.training.stylegan2.config import StyleGAN2Config
from styleT2I.training.stylegan2.renderer_fit import RendererFit
from styleT2I.training.stylegan2.renderer_fit_config import RendererFitConfig
from styleT2I.training.stylegan2.task import StyleGAN2Task
from tests.toy_training import ToyConfig

SEED = 3
DATA = {"data": "minifaces:biased/train:24", "eval_data": "minifaces:biased/val:8"}
TINY_IMAGE = {"trunk": "small", "text_dim": 8, "resolution": 16, "widths": (4, 6, 8)}
UNET = {"widths": (4, 6), "num_blocks": 1, "attention": (1,), "head_width": 3, "dropout": 0.3}
TRUNK = {"width": 8, "num_heads": 2, "num_layers": 1}
GANS = {
    "gan_int_cls": {
        "generator": {"z_dim": 3, "cond_dim": 4, "widths": (6, 4), "num_residual": 1},
        "discriminator": {"cond_dim": 4, "widths": (4, 6)}, "style_encoder": {"widths": (4, 6)}, "style_share": 0.25,
    },
    "stackgan": {
        "generator": {"z_dim": 3, "cond_dim": 4, "widths": (6, 4),
                      "stage2": {"encoder_widths": (4, 6), "num_residual": 1, "widths": (6, 4, 4)}},
        "discriminator1": {"widths": (4,)}, "discriminator2": {"widths": (4, 6), "is_unconditional": True},
    },
    "dfgan": {
        "generator": {"z_dim": 3, "widths": (6, 4, 4)}, "discriminator": {"widths": (4, 4, 6), "head_width": 4},
        "shuffle_captions": True,
    },
}  # fmt: skip
UNCLIP = {
    "unclip_prior": {"network": TRUNK, "eval_steps": 2},
    "unclip_ar_prior": {"network": {**TRUNK, "num_components": 4, "num_buckets": 8, "num_dots": 4}},
    "unclip": {
        "network": {"resolution": 8, "cond_dim": 8, "context_dim": 4, "learns_variance": True, "unet": UNET},
        "eval_steps": 2,
    },
    "unclip_upsampler": {
        "network": {"resolution": 16, "low_resolution": 8, "cond_dim": 4, "unet": {**UNET, "attention": ()}},
        "crop": 8, "eval_steps": 2,
    },
}  # fmt: skip


class SharedToy(NetworkTask):
    """A regression with batch norm, dropout, noise and Adam: all that several processes can get wrong, and fast."""

    name = "shared-toy"

    def __init__(self, on_step=lambda step: None, batch_size=8):
        super().__init__(ToyConfig(), 60, SEED)
        self.on_step, self.batch_size = on_step, batch_size

    def setup(self, device):
        self.network = torch.nn.Sequential(
            torch.nn.Linear(4, 16, bias=False), torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1)
        )
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.01)
        self.rows = torch.arange(80.0).reshape(20, 4) / 80

    def step(self, step, rng):
        self.on_step(step)
        own = own_rows(self.batch_size)
        x = self.rows[index_order(SEED, 20, self.batch_size, step)[own]]
        x = x + 0.1 * draw_rows(torch.randn, *x.shape, generator=rng)
        loss = F.mse_loss(self.network(x), x.sum(dim=1, keepdim=True))
        descend(self.optimizer, loss, self.config.lr)
        return {"loss": loss.item()}

    def export(self, outdir, step):
        (outdir / "exported.txt").write_text(str(step))


def _directions(config, task, folder, **changes):
    parts = {"generator": f"{folder}/generator.json", "clip": f"{folder}/clip.json"}
    settings = {"theta": 2.0, "hidden_dim": 16, "num_hidden": 1, "jitter": 0.1, "translate": 0.1, "keep_weight": 0.5}
    return task(config(**parts, **{**settings, **changes}), 20, SEED)


def _baseline(system, folder, num_steps):
    sizes = {**GANS, **UNCLIP}[system]
    make = task_config if system in UNCLIP else baseline_config
    changes = {**DATA, "clip": f"{folder}/clip.json", "batch_size": 4, "eval_num": 8, **sizes}
    return new_baseline(system, make(system, "minifaces", **changes)[1], num_steps, SEED)


def _damsm(system, folder, num_steps):
    shared = {"data": (DATA["data"], "minifaces:biased/val:9"), "batch_size": 6, "eval_data": "minifaces:biased/val:12"}
    if system == "damsm":
        sizes = {"vocabulary_num": 24, "embedding_dim": 6, "image": TINY_IMAGE}
    else:
        generator = {"z_dim": 4, "cond_dim": 3, "width": 2, "first_resolution": 8, "num_residual": 1}
        parts = {name: f"{folder}/{name}.json" for name in ("text_encoder", "image_encoder")}
        sizes = {**parts, "generator": generator, "d_width": 2, "shuffle_captions": True}
    return new_baseline(system, baseline_config(system, "minifaces", **shared, **sizes)[1], num_steps, SEED)


def _stylegan2(**changes):
    generator = GeneratorConfig(16, z_dim=6, w_dim=6, mapping_layers=2, channel_base=64, channel_max=6)
    discriminator = DiscriminatorConfig(16, channel_base=64, channel_max=6, mbstd_group_size=4)
    settings = {"batch_size": 8, "micro_batch": 4, "eval_num": 8, "r1_interval": 2, "pl_interval": 2, "jitter": 0.1,
                "translate": 0.1, "ema_kimg": 0.01, "mirror": True, "use_labels": True, **changes}  # fmt: skip
    return StyleGAN2Task(StyleGAN2Config(DATA["data"], generator, discriminator, **settings), 20, SEED)


def _judged(config, task, **changes):
    data = {"data": (DATA["data"], "minifaces:balanced/train:9"), "eval_data": DATA["eval_data"]}
    return task(config(**data, resolution=16, widths=(6, 8), batch_size=6, lr=3e-4, **changes), 20, SEED)


def _clip(folder):
    changes = {"data": (DATA["data"], "minifaces:balanced/train:9"), "eval_data": None, "batch_size": 6}
    changes |= {"clip": f"{folder}/clip.json", "tune": "paper", "vocabulary": "minifaces", "attribute_weight": 1.0}
    return CLIPTask(preset_config("minifaces", **changes), 20, SEED)


def _fit():
    shape = {"resolution": 32, "channels": {4: 16, 8: 16, 16: 16, 32: 8}, "w_dim": 32, "mapping_hidden_dim": 32}
    shares = {"share_16": 0.2, "share_32": 0.2, "share_mapping": 0.2, "share_joint": 0.2}
    rates = dict.fromkeys(("lr", "mapping_lr", "joint_lr"), 3e-4)  # as the others: of rounding Adam makes a whole step
    sizes = {"batch": 4, "mapping_layers": 2, "mapping_batch": 16}
    return RendererFit(RendererFitConfig(steps=20, **sizes, **shape, **shares, **rates))


TASKS = {
    "toy": lambda folder: SharedToy(),
    "t2d": lambda folder: _directions(
        T2DConfig, T2DTask, folder, data=DATA["data"], batch_size=6, flip_weight=0.3, shuffle_captions=True,
        symmetric=True, ignore_also_true=True, micro_batch=2,
    ),
    "a2d": lambda folder: _directions(
        A2DConfig, A2DTask, folder, segmenter=f"{folder}/segmenter.json", attributes=("lipstick", "he"), batch_size=4,
        micro_batch=1, eval_num=4, calibration_num=4, text_encoder="gru",
    ),
    "stylegan2": lambda folder: _stylegan2(),
    "clip": _clip,
    "judge": lambda folder: _judged(JudgeConfig, JudgeTask, feature_dim=8),
    "segmenter": lambda folder: _judged(SegmenterTrainingConfig, SegmenterTask),
    "fit": lambda folder: _fit(),
    **{system: lambda folder, system=system: _baseline(system, folder, 20) for system in (*GANS, *UNCLIP)},
    **{system: lambda folder, system=system: _damsm(system, folder, 20) for system in ("damsm", "attngan")},
}  # fmt: skip


def train(name, folder, outdir, steps=20, task=None, **settings):
    """Run the training of this name, or the task, without evaluations unless they are asked for."""
    every = {"eval_every": 0, "snapshot_every": 0, "log_every": 1, "checkpoint_every": 0, **settings}
    run(task or TASKS[name](folder), RunConfig(str(outdir), steps, seed=SEED, device="cpu", **every))


def train_anew(outdir):
    """The toy training in a folder that must hold none."""
    train("toy", None, outdir, 4, resume="never")


def train_until(what, step, index, outdir, **settings):
    """The toy training, in which process `index` is killed, hangs or is told to stop on entering step `step`."""

    def on_step(now):
        if now == step and os.environ["RANK"] == str(index):
            if what == "hangs":
                time.sleep(1000)
            os.kill(os.getpid(), {"killed": signal.SIGKILL, "told to stop": signal.SIGTERM}[what])

    train("toy", None, outdir, task=SharedToy(on_step), **settings)


def end_of(outdir) -> dict[str, torch.Tensor]:
    """The tensors of a run's newest checkpoint, by their place."""
    return flatten_state(newest_checkpoint(outdir).state)[1]
