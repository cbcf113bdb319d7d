"""What the trainings of both direction networks share: rows drawn and looked at, a loss of the whole batch, Adam."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from styleT2I.attributes.wording.word_list import grammar_words
from styleT2I.training.directions.estimate import Estimate, measure
from styleT2I.training.directions.micro_batches import accumulate_gradients
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, schedule


class DirectionTask(NetworkTask):
    """The part of T2DTask and A2DTask that does not know what the direction is read from.

    A subclass has `setup`, which makes .network and .optimizer and ends with `_ready`; `_forward(batch, rows)`,
    what the loss reads of some rows of a batch; `_loss(batch, figures, *outputs)`, the loss of all of them, which fills
    the figures of the log; and `_probe(num)`, the forward pass of rows of no step, for the estimate.
    """

    def __init__(self, config, num_steps: int, seed: int = 0, on_ready: Callable[[Estimate], None] | None = None):
        """config: a T2DConfig or A2DConfig. on_ready: told what the training takes once its networks are loaded."""
        super().__init__(config, num_steps, seed)
        self.on_ready = on_ready

    def estimate(self) -> Estimate:
        """What the whole training takes on this machine, from a few rows that are computed once."""
        return measure(self._probe, self.network, steps=self.num_steps, batch_size=self.config.batch_size)

    def _ready(self):
        if self.on_ready is not None:
            self.on_ready(self.estimate())

    def _descend(self, batch, num, step) -> dict[str, float]:
        """One step down the loss of a batch of `num` rows; the figures of the log."""
        config, figures = self.config, {}
        forward, loss = functools.partial(self._forward, batch), functools.partial(self._loss, batch, figures)
        backward = functools.partial(accumulate_gradients, forward, loss, num, config.micro_batch)
        factor = schedule("cosine" if config.lr_decay else "constant", step, self.num_steps)
        total = descend(self.optimizer, backward, config.lr * factor)
        return {"loss": total.item(), **figures}

    def _further_words(self):
        """What users say of attributes, whether or not a caption of the training does; for frozen word vectors."""
        return grammar_words(self.config.vocabulary) if self.config.glove else ()


def weighted(losses: dict[str, torch.Tensor], weights: dict[str, float], figures: dict[str, float]) -> torch.Tensor:
    """The sum of the losses, each times its weight; their values are put into `figures`."""
    figures.update({name: value.item() for name, value in losses.items()})
    return sum(weights[name] * value for name, value in losses.items())
