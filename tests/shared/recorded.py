"""A small training of every kind whose steps are recorded on a GPU, and some steps of it."""

import copy
import shutil
from dataclasses import replace

import torch

from styleT2I.networks.faces.segmenter import Segmenter, SegmenterConfig
from styleT2I.torch_utils.seeding import derive_seed, generator
from styleT2I.training.directions.a2d import A2DTask
from styleT2I.training.directions.config import A2DConfig, T2DConfig
from styleT2I.training.directions.t2d import T2DTask
from tests.shared.tasks import DATA, SEED, TASKS, _directions, _stylegan2, train
from tests.tiny_model import write_tiny, write_tiny_model

ADAPTIVE = {"augment": "adaptive", "augment_target": 0.0, "augment_kimg": 0.1, "ema_rampup": 0.05, "micro_batch": None}


def _t2d(folder):
    return _directions(T2DConfig, T2DTask, folder, data=DATA["data"], batch_size=4, lr_decay=True)


def _a2d(folder):
    parts = {"segmenter": f"{folder}/segmenter.json", "batch_size": 4, "micro_batch": 2, "lr_decay": True}
    return _directions(A2DConfig, A2DTask, folder, **parts)


def _attngan(folder):
    if not (folder / "image_encoder.json").exists():
        train("damsm", folder, folder / "damsm", 1)
        for file in (folder / "damsm").glob("*_encoder.*"):
            shutil.copy(file, folder)
    return TASKS["attngan"](folder)


def _unclip(folder):
    task = TASKS["unclip"](folder)
    task.config = replace(task.config, network=replace(task.config.network, learns_variance=False))
    return task


PHASES = {"generator", "path length", "discriminator", "R1", "average"}
TRAININGS = {  # how it is made, its parts, and so many steps that each is warmed up and then replayed twice
    "stylegan2": (lambda folder: _stylegan2(), PHASES, 9),
    "stylegan2-adaptive": (lambda folder: _stylegan2(**ADAPTIVE), PHASES, 17),
    "t2d": (TASKS["t2d"], {"step"}, 10),
    "t2d-whole": (lambda folder: _t2d(folder), {"step"}, 10),
    "a2d": (lambda folder: _a2d(folder), {"step"}, 7),
    "clip": (TASKS["clip"], {"step"}, 7),
    "judge": (TASKS["judge"], {"step"}, 7),
    "segmenter": (TASKS["segmenter"], {"step"}, 7),
    "gan_int_cls": (TASKS["gan_int_cls"], {"GAN", "style"}, 20),
    "stackgan": (TASKS["stackgan"], {"Stage-I", "Stage-II"}, 16),
    "dfgan": (TASKS["dfgan"], {"GAN"}, 7),
    "attngan": (_attngan, {"GAN"}, 7),
    "unclip_prior": (TASKS["unclip_prior"], {"step"}, 7),
    "unclip_ar_prior": (TASKS["unclip_ar_prior"], {"step"}, 7),
    "unclip": (_unclip, {"step"}, 7),
    "unclip_upsampler": (TASKS["unclip_upsampler"], {"step"}, 7),
    "stylegan2-bf16": (lambda folder: _stylegan2(precision="bf16", use_labels=False, micro_batch=None), PHASES, 9),
}


def write_parts(folder):
    """A tiny model and a segmenter, which the trainings take; returns the folder."""
    write_tiny_model(folder)
    torch.manual_seed(4)
    config = SegmenterConfig(("hair", "skin", "eyes", "mouth"), resolution=16, widths=(4, 6))
    write_tiny(folder, "segmenter", Segmenter(config).eval())
    return folder


def run_steps(make, folder, device, steps, state=None):
    """The metrics of some steps from a state, or from the start, the state after them, and the task."""
    torch.manual_seed(derive_seed("setup", SEED))
    task = make(folder)
    task.setup(torch.device(device))
    if state is not None:
        task.load_state_dict(copy.deepcopy(state))
    metrics = []
    for step in steps:
        torch.manual_seed(derive_seed("step", SEED, step))  # as the engine does
        metrics.append(task.step(step, generator("step", SEED, step)))
    return metrics, copy.deepcopy(task.state_dict()), task


def recorded_parts(task):
    """The names of what was recorded and replayed; none may have failed."""
    assert not task.steps._failed
    return {key[0] for key, part in task.steps._parts.items() if part.replay}
