"""The base task of the earlier text-to-image GANs' trainings."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from styleT2I.config import to_dict
from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.formats.component import read_component, write_component
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.model_folder import write_model_manifest
from styleT2I.generation.systems.sentence_encoders import ClipEncoder, DamsmEncoder, FileEncoder, copy_network
from styleT2I.networks.registry import load_network_component
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import draw_rows, own_rows, rolled
from styleT2I.torch_utils.hardware.recorded_steps import Metrics, RecordedSteps, read
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import generator, latents_of_seeds
from styleT2I.training.directions.setup import load_frozen
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, move_average
from styleT2I.training.stylegan2.evaluation import JudgeFeatures, PixelFeatures, SampleEvaluation

GRID_TEXTS, GRID_SEEDS = 6, 6


class TextBatch(NamedTuple):
    """N real images with the features of a true and of a wrong sentence each."""

    image: torch.Tensor  # [N, 3, R, R] in [-1, 1]
    text: torch.Tensor  # [N, text_dim]
    wrong: torch.Tensor  # [N, text_dim]: the next image's


class BaselineTask(NetworkTask):
    """Networks and optimizers by name, "G" and its average "G_ema" among them; a system adds `build` and `update`."""

    name = ""  # the system's, which is also its role in a model folder

    def build(self, text_dim: int) -> dict[str, torch.nn.Module]:
        """New networks by name, "G" among them, for sentence features of this width."""
        raise NotImplementedError

    def update(self, step: int, batch: TextBatch, rng: torch.Generator) -> Metrics:
        """One optimisation step of all networks that learn at `step`, by `run_part`; metrics for the log."""
        raise NotImplementedError

    def setup(self, device: torch.device) -> None:
        """Open the data and build the networks; DataError or CheckpointError where something does not fit."""
        config = self.config
        self.device, self.resolution = device, config.generator.resolution
        self.data = open_dataset(config.data, self.resolution, with_masks=False)
        self.images_of = Ahead(functools.partial(_own_images, self.data, self.seed, config.batch_size))
        self.text = self._open_text()
        self.networks = {name: network.to(device) for name, network in self.build(self.text.dim).items()}
        self.networks["G_ema"] = copy.deepcopy(self.networks["G"]).eval().requires_grad_(False)
        self.optimizers = {
            name: torch.optim.Adam(network.parameters(), lr=config.g_lr, betas=config.betas)
            for name, network in self.networks.items() if name != "G_ema"
        }  # fmt: skip
        self.steps = RecordedSteps(device, self.optimizers.values())
        self.evaluation = self._build_evaluation()
        indices = range(min(GRID_TEXTS, len(self.data)))
        self.grid_text = self.text.of_samples(self.data, indices, generator("grid"))

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One step of the system's own update; randomness comes from `rng` alone."""
        indices = index_order(self.seed, len(self.data), self.config.batch_size, step)
        own = own_rows(len(indices))
        image = from_uint8(self.images_of(step).to(self.device, non_blocking=True))
        text = self.text.of_samples(self.data, indices, rng, own)
        if self.config.shuffle_captions:
            text = rolled(text, 2)
        return read(self.update(step, TextBatch(image, text, rolled(text, 1)), rng))

    def learning_networks(self) -> list[torch.nn.Module]:
        return list(self.networks.values())

    def state_dict(self) -> dict:
        parts = {"networks": self.networks, "optimizers": self.optimizers}
        return {kind: {name: part.state_dict() for name, part in held.items()} for kind, held in parts.items()}

    def load_state_dict(self, state: dict) -> None:
        for kind in ("networks", "optimizers"):
            for name, part in getattr(self, kind).items():
                part.load_state_dict(state[kind][name])

    def evaluate(self, step: int) -> dict[str, float]:
        """Distances of the averaged generator's images of the evaluation's captions to its real ones."""
        return {"kimg": step * self.config.batch_size / 1000, **self.evaluation.measure(_Drawn(self.sampler(step)))}

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write a grid: one row per caption, one column per seed."""
        G = self.sampler(step)
        with torch.no_grad():
            noise = latents_of_seeds(range(GRID_SEEDS), G.noise_dim).to(self.device)
            images = torch.cat([G(noise, row.expand(GRID_SEEDS, -1)) for row in self.grid_text])
        grid = make_grid_u8(to_uint8(images), GRID_SEEDS, scale=-(-96 // images.shape[-1]))
        save_png(Path(outdir) / f"samples-{step:06d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the averaged generator, the CLIP or DAMSM that reads its sentences and a model.json that joins them."""
        outdir = Path(outdir)
        info = {**self.text.info(), "training": {"model": self.name, **self._settings()}}
        files = {self.name: self.write(outdir, self.name, "G_ema", step, info), **self.export_parts(outdir, step)}
        for role, path in (("clip", self.config.clip), ("text_encoder", self.config.text_encoder)):
            if path is not None:
                files[role] = copy_network(outdir, role, path)
        vocabulary = "minifaces" if self.config.data.startswith("minifaces:") else None
        write_model_manifest(outdir, self.name, files, vocabulary)

    def export_parts(self, outdir: Path, step: int) -> dict[str, str]:
        """Write what else belongs to the system's model; role -> name of the manifest written."""
        return {}

    def write(self, outdir: Path, file: str, name: str, step: int, info: dict) -> str:
        """Write one of the networks as the component `file`; the name of its manifest."""
        network = self.networks[name]
        state = network.state_dict()
        return write_component(outdir, file, network.kind, to_dict(network.config), state, step=step, info=info).name

    def sampler(self, step: int) -> torch.nn.Module:
        """The network that draws images after `step` steps."""
        return self.networks["G_ema"]

    def noise(self, num: int, rng: torch.Generator) -> torch.Tensor:
        """Standard normal noise [num, noise_dim] of the generator, on the CPU."""
        return draw_rows(torch.randn, num, self.networks["G"].noise_dim, generator=rng)

    def run_part(self, name: str, function: Callable[..., Metrics], step: int, *inputs) -> Metrics:
        """function(rates, *inputs) as a part of recorded steps; rates: of the networks by name at `step`, after any
        halving."""
        names = tuple(self.optimizers)
        factor = 1.0
        if self.config.halving_kimg is not None:
            factor = 0.5 ** (step * self.config.batch_size // round(self.config.halving_kimg * 1000))
        rates = tuple(self.learning_rate(name) * factor for name in names)
        return self.steps(
            name, lambda rates, *inputs: function(dict(zip(names, rates, strict=True)), *inputs), rates, *inputs
        )

    def learning_rate(self, name: str) -> float:
        """That of a network before any halving."""
        return self.config.g_lr if name == "G" else self.config.d_lr

    def descend(self, name: str, loss: torch.Tensor, rates: Mapping[str, float | torch.Tensor]) -> None:
        """One step of a network's optimizer down the loss; only its own weights get gradients from it."""
        network, optimizer = self.networks[name], self.optimizers[name]
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        descend(optimizer, lambda: loss.backward(inputs=learning), rates[name])

    def average(self) -> None:
        """Move G_ema, its statistics included, towards G so that an image's weight halves every ema_kimg thousand."""
        half_life = self.config.ema_kimg * 1000
        beta = 0.5 ** (self.config.batch_size / half_life) if half_life else 0.0
        move_average(self.networks["G_ema"], self.networks["G"], beta)

    def _open_text(self):
        config = self.config
        if config.embeddings is not None:
            return FileEncoder.of_data(config.embeddings, self.data, self.device, config.num_mean)
        if config.clip is not None:
            clip, _ = load_frozen(config.clip, "clip", self.device)
            return ClipEncoder.standardised_on(clip, self.data, config.num_mean)
        training = read_network(config.text_encoder).info.get("training", {})
        encoder, _ = load_frozen(config.text_encoder, "damsm-text", self.device)
        return DamsmEncoder(encoder, training, num_mean=config.num_mean)

    def _settings(self):
        names = {role: getattr(self.config, role) for role in ("clip", "text_encoder", "judge", "embeddings")}
        return {**to_dict(self.config), **{role: Path(path).name for role, path in names.items() if path}}

    def _build_evaluation(self):
        config = self.config
        data = self.data if config.eval_data is None else open_dataset(
            config.eval_data, self.resolution, with_masks=False
        )  # fmt: skip
        if config.embeddings is not None:
            data = self.data  # the file has sentences of the training images only
        num = min(config.eval_num, len(data))
        extractor = PixelFeatures()
        if config.judge is not None:
            extractor = JudgeFeatures(load_network_component(read_component(config.judge), self.device))
        text = torch.cat([
            self.text.of_samples(data, range(start, min(start + 64, num)), generator("evaluation", start))
            for start in range(0, num, 64)
        ])  # fmt: skip
        return SampleEvaluation(extractor, data, num, self.device, text)


def _own_images(data, seed, batch_size, step):
    """This process's images of a step, uint8 [n, 3, R, R]."""
    return data.batch(index_order(seed, len(data), batch_size, step)[own_rows(batch_size)]).images_u8


class _Drawn:
    """A generator as the evaluation calls it: latents, conditions, truncation (which these generators lack)."""

    def __init__(self, network):
        self.network, self.z_dim = network, network.noise_dim

    def __call__(self, z, text, truncation_psi=1.0):
        return self.network(z, text)
