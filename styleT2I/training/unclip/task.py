"""The base task of unCLIP's trainings."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from styleT2I.baselines.unclip.captions import CaptionEncoder
from styleT2I.baselines.unclip.diffusion import NUM_TRAIN_STEPS
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.config import override, to_dict
from styleT2I.data.training.augment import drop_rows
from styleT2I.evaluation.measures.embedded_data import EmbeddedData
from styleT2I.formats.component import write_component
from styleT2I.formats.model_folder import write_model_manifest
from styleT2I.generation.systems.sentence_encoders import copy_network
from styleT2I.torch_utils.distributed import draw_rows, own_rows
from styleT2I.torch_utils.hardware.recorded_steps import Metrics, RecordedSteps, read
from styleT2I.training.baselines.damsm import round_to_half
from styleT2I.training.directions.setup import load_frozen
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, move_average, schedule


class UnclipTask(NetworkTask):
    """One network, its optimizer and its average; a subclass says what it is, what it is given and what its loss is."""

    name = ""  # also the role in a model folder
    parts = ("network", "average", "optimizer")
    keeps_images, keeps_embeddings = False, True

    def build(self) -> torch.nn.Module:
        """A new network for this CLIP, with the statistics that it needs of the data."""
        raise NotImplementedError

    def inputs(self, indices: list[int], told: list[int], rng: torch.Generator) -> tuple:
        """What the loss takes of these samples, on the device; told: the samples whose captions are read with them."""
        raise NotImplementedError

    def loss(self, *inputs) -> tuple[torch.Tensor, Metrics]:
        """The loss, and metrics for the log; a part of recorded steps."""
        raise NotImplementedError

    @property
    def is_recordable(self) -> bool:
        """Whether a GPU can record the loss."""
        return True

    def setup(self, device: torch.device) -> None:
        """Embed the data and build the network; DataError or CheckpointError where something does not fit."""
        config = self.config
        self.device = device
        self.clip = load_frozen(config.clip, "clip", device)[0]
        self.encoder = CaptionEncoder(self.clip)
        self.data = self._open(config.data)
        self.eval_data = self._open(config.eval_data) if config.eval_data is not None else None
        self.null = self.encoder.encode([""])
        self.network = self.build().to(device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.lr, config.betas, config.eps, config.weight_decay
        )
        self.steps = RecordedSteps(device, [self.optimizer], is_fixed=self.is_recordable)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One step on a batch; randomness comes from `rng` alone."""
        config = self.config
        indices, own = self.data.training_indices(self.seed, config.batch_size, step), own_rows(config.batch_size)
        told = indices[1:] + indices[:1] if config.shuffle_captions else indices
        inputs = self.inputs(indices[own], told[own], rng)
        factor = schedule("warmup-cosine" if config.decay_lr else "constant", step, self.num_steps)
        keep = min(config.ema, (1 + step) / (10 + step))  # less in the first steps, which would else dominate
        return read(self.steps("step", self._update, config.lr * factor, keep, inputs))

    def _update(self, rate, keep, inputs):
        loss, metrics = self.loss(*inputs)
        descend(self.optimizer, loss, rate)
        move_average(self.average, self.network, keep)
        return {"loss": loss, **metrics}

    def captions(self, indices: list[int], rng: torch.Generator) -> tuple[Caption, torch.Tensor]:
        """A caption of each sample, some replaced by the empty one, and z_t [N, D] of all before that."""
        said = self.data.caption_batch(indices, rng)
        if self.steps.is_recording:
            said = said.padded(self.encoder.num_tokens)
        keep = drop_rows(len(indices), self.config.text_drop, rng).to(self.device)
        return said.where(keep, self.null.trimmed(said.num_tokens)), said.embedding

    def evaluate(self, step: int) -> dict[str, float]:
        """Metrics on the unseen data; {} without."""
        return {"kimg": step * self.config.batch_size / 1000}

    def export(self, outdir: Path, step: int) -> None:
        """Write the averaged network as a component named by its role, with the metrics of what is written."""
        outdir, config = Path(outdir), self.config
        if config.half:
            round_to_half(self.average)
        training = {"model": self.name, **to_dict(config)}
        components = ("clip", "prior", "ar_prior", "upsampler")  # of which a manifest says the name, not the folder
        training |= {role: Path(training[role]).name for role in components if training.get(role)}
        info = {"clip_name": self.clip.config.name, "training": training, "measured": self.evaluate(step)}
        network = self.average
        write_component(
            outdir, self.name, network.kind, to_dict(network.config), network.state_dict(), half=config.half, step=step,
            info=info,
        )  # fmt: skip

    def _open(self, spec):
        return EmbeddedData(spec, self.encoder, self.device, self.keeps_images, self.keeps_embeddings)

    def fitted(self, network_config):
        """A network's configuration with the sizes of the CLIP."""
        encoder = self.encoder
        return override(network_config, embed_dim=self.clip.embed_dim, text_width=encoder.text_width)


def training_steps(num: int, rng: torch.Generator) -> torch.Tensor:
    """A diffusion step int64 [num] of each row, drawn evenly."""
    return draw_rows(lambda num: torch.randint(NUM_TRAIN_STEPS, (num,), generator=rng), num)


def write_stack(outdir: Path, name: str, parts: dict[str, str], clip: str, data: str) -> None:
    """Write copies of parts (role -> component) and of the CLIP, and a model.json that joins them with `name`'s own."""
    files = {role: copy_network(outdir, role, path) for role, path in {**parts, "clip": clip}.items()}
    vocabulary = "minifaces" if data.startswith("minifaces:") else None
    write_model_manifest(outdir, name, {name: f"{name}.json", **files}, vocabulary)
