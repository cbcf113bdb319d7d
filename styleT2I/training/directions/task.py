"""The base task of both direction networks: rows in micro-batches, a loss of the whole batch, Adam."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import torch

from styleT2I.attributes.wording.word_list import grammar_words
from styleT2I.config import to_dict
from styleT2I.formats.component import write_component
from styleT2I.torch_utils.distributed import num_own_rows
from styleT2I.torch_utils.hardware.recorded_steps import Metrics, RecordedSteps, read
from styleT2I.training.directions.estimate import Estimate, measure
from styleT2I.training.directions.micro_batches import accumulate_gradients
from styleT2I.training.directions.setup import build_direction_network, free_norm, load_frozen, load_given, sample_w
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, schedule


class DirectionTask(NetworkTask):
    """The part of T2DTask and A2DTask that does not depend on what the direction is read from.

    A subclass has `setup`, which begins with `_load_frozen`, calls `_build_network` and ends with `_ready`;
    `_batch(given)`, what is computed first of a step's inputs; `_forward(batch, rows)`, what the loss reads of some
    rows of it; `_loss(batch, metrics, *outputs)`, the loss of all of them, which fills the metrics of the log; and
    `_probe(num)`, the forward pass of rows of no step, for the estimate.
    """

    def __init__(self, config, num_steps: int, seed: int = 0, on_ready: Callable[[Estimate], None] | None = None):
        """config: a T2DConfig or A2DConfig. on_ready: called with an Estimate once the networks are loaded."""
        super().__init__(config, num_steps, seed)
        self.on_ready = on_ready

    def estimate(self) -> Estimate:
        """The Estimate of the whole training on this machine, from a few rows that are computed once."""
        return measure(self._probe, self.network, steps=self.num_steps, batch_size=num_own_rows(self.config.batch_size))

    def _load_frozen(self, device):
        """Load the generator and the CLIP, which stay as they are."""
        self.device = device
        self.generator, self.generator_sha256 = load_frozen(self.config.generator, "stylegan2-generator", device)
        self.clip, _ = load_frozen(self.config.clip, "clip", device)

    def _build_network(self, cls, texts):
        """Make the free norm, a network of class `cls`, which knows the words of the texts, and its optimizer."""
        config, G = self.config, self.generator
        w = sample_w(G, self.device)
        self.theta = free_norm(config.theta, config.theta_rel, w, G.num_ws)
        network = build_direction_network(cls, config, G, self.clip, w, texts, self.seed, self._further_words())
        if config.init is not None:
            load_given(network, config.init)
        self.network = network.to(self.device)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=config.lr, fused=True)
        # A GRU packs texts by their lengths, on the CPU.
        self.steps = RecordedSteps(self.device, [self.optimizer], is_fixed=self.network.text_encoder is None)

    def _write(self, outdir, step, vocabulary, info, network=None):
        """Write the network, or the one given, as the component NAME.json with what edits need to know, and `info`.

        Frozen parts are recorded by file name, without their folders.
        """
        parts = {role: getattr(self.config, role, None) for role in ("generator", "clip", "segmenter", "judge", "init")}
        names = {role: Path(path).name for role, path in parts.items() if path}
        told = {
            "clip_name": self.clip.config.name,
            "generator_sha256": self.generator_sha256,
            "theta": self.theta,
            "vocabulary": vocabulary.name,
            "training": {**to_dict(self.config), **names},
        }
        network = network or self.network
        config, weights = to_dict(network.config), network.state_dict()
        write_component(outdir, self.name, network.kind, config, weights, step=step, info=told | info)

    def _ready(self):
        if self.on_ready is not None:
            self.on_ready(self.estimate())

    def _descend(self, given, step) -> dict[str, float]:
        """One step down the loss of what is given for this process's rows of a batch; the metrics of the log."""
        factor = schedule("cosine" if self.config.lr_decay else "constant", step, self.num_steps)
        return read(self.steps("step", self._update, given, self.config.lr * factor))

    def _update(self, given, rate):
        batch, metrics = self._batch(given), {}
        forward, loss = functools.partial(self._forward, batch), functools.partial(self._loss, batch, metrics)
        num, size = len(batch.w), self.config.micro_batch
        backward = functools.partial(accumulate_gradients, forward, loss, num, size, self.device)
        return {"loss": descend(self.optimizer, backward, rate), **metrics}

    def _further_words(self):
        """The vocabulary's words for its attributes, which users may write; for frozen word vectors."""
        return grammar_words(self.config.vocabulary) if self.config.glove else ()


def weighted(losses: dict[str, torch.Tensor], weights: dict[str, float], metrics: Metrics) -> torch.Tensor:
    """The sum of the losses, each times its weight; their values are put into `metrics`."""
    metrics.update({name: value.detach() for name, value in losses.items()})
    return sum(weights[name] * value for name, value in losses.items())
