"""Training of the judges: attributes by cross-entropy, nuisances by regression, on lightly degraded renders."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional as F

from styleT2I.config import to_dict
from styleT2I.data.training.augment import random_degrade, random_shift
from styleT2I.data.training.labelled import LabelledData
from styleT2I.evaluation.measures.judge import judged_pairs, measure_judge, mistakes_u8
from styleT2I.formats.component import write_component
from styleT2I.networks.faces.attribute_classifier import AttributeClassifier, ClassifierConfig
from styleT2I.networks.registry import load_alike
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import draw_rows
from styleT2I.torch_utils.hardware.recorded_steps import RecordedSteps, read
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.seeding import derive_seed
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, schedule

NUM_STATISTICS = 1024  # images that the nuisances' mean and spread are taken from


class JudgeTask(NetworkTask):
    """A judge as a task of training.engine."""

    name = "judge"

    def setup(self, device: torch.device) -> None:
        """Open the data and build the network; DataError where the data lacks attributes or sets disagree."""
        config = self.config
        self.device = device
        self.data = LabelledData(config.data, "attributes", config.resolution)
        self.eval_data = LabelledData((config.eval_data,), "attributes", config.resolution)
        self.data.check_same_names(self.eval_data)
        self.batch_of = Ahead(functools.partial(self.data.training_batch, self.seed, config.batch_size))
        self.pairs = judged_pairs(self.data.names)
        self.network = self._build_network().to(device).requires_grad_(True)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        self.steps = RecordedSteps(device, [self.optimizer])

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One optimisation step; its randomness comes from `rng` alone."""
        config = self.config
        image, truth, nuisances = self.batch_of(step)
        if config.mirror:
            is_plain = draw_rows(torch.rand, len(image), generator=rng) < 0.5
            image = torch.where(is_plain.view(-1, 1, 1, 1), image, image.flip(3))
        (image,) = random_shift([image], rng, config.degrade.shift)
        image = random_degrade(image, rng, config.degrade)
        self.network.train()
        rate = config.lr * schedule("warmup-cosine", step, self.num_steps)
        is_plain = is_plain if config.mirror else None
        return read(self.steps("step", self._update, rate, image, truth, nuisances, is_plain))

    def evaluate(self, step: int) -> dict[str, float]:
        """Balanced accuracies on unseen images, from `measure_judge`, as one flat dict."""
        figures = measure_judge(self.network, self.eval_data, self.pairs, self.config.eval_num)
        return {
            "worst_attribute": min(figures["attributes"].values()),
            "worst_pair": min((pair["balanced"] for pair in figures["rare_pairs"].values()), default=math.nan),
            "worst_softened": min(figures["softened"].values()),
            **{f"accuracy/{name}": value for name, value in figures["attributes"].items()},
            **{f"accuracy/{name}": pair["balanced"] for name, pair in figures["rare_pairs"].items()},
        }

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write the evaluation images that the judge gets wrong, the most confident errors first."""
        grid = mistakes_u8(self.network, self.eval_data, self.config.eval_num)
        if grid is not None:
            save_png(Path(outdir) / f"mistakes-{step:06d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the component NAME.json and NAME.safetensors (fp16), with metrics measured on what was written."""
        state = {key: tensor.half().float() if tensor.is_floating_point() else tensor
                 for key, tensor in self.network.state_dict().items()}  # fmt: skip
        stored = AttributeClassifier(self.network.config).to(self.device)
        stored.load_state_dict(state)
        begun = {"init": Path(self.config.init).name} if self.config.init else {}  # without its folder
        measured = measure_judge(stored, self.eval_data, self.pairs)
        info = {"training": {**to_dict(self.config), **begun}, "measured": measured}
        config = to_dict(self.network.config)
        write_component(
            outdir, self.config.name, AttributeClassifier.kind, config, state, half=True, step=step, info=info
        )

    def _update(self, rate, image, truth, nuisances, is_plain):
        """is_plain: which of the images, whose nuisances are known, were not mirrored; None: none were."""
        config = self.config
        features = self.network.features_of_view(image)
        target = truth.to(features) * (1 - config.label_smoothing) + config.label_smoothing / 2
        attribute_loss = F.binary_cross_entropy_with_logits(self.network.logits_of(features), target)
        loss, metrics = attribute_loss, {"loss_attributes": attribute_loss}
        if nuisances is not None:
            wanted = (nuisances.to(features) - self.network.nuisance_mean) / self.network.nuisance_std
            estimated = self.network.nuisances_of(features, standardised=True)
            if is_plain is not None:
                weight = is_plain.to(features).unsqueeze(1)
                estimated, wanted = estimated * weight, wanted * weight
            nuisance_loss = F.mse_loss(estimated, wanted)
            loss = loss + config.nuisance_weight * nuisance_loss
            metrics["loss_nuisances"] = nuisance_loss
        descend(self.optimizer, loss, rate)
        return {"loss": loss, **metrics}

    def _build_network(self) -> AttributeClassifier:
        config = self.config
        wanted = ClassifierConfig(
            self.data.names, *self._nuisance_settings(), architecture=config.architecture,
            resolution=config.resolution, widths=config.widths, feature_dim=config.feature_dim,
            mirrored=config.mirror,
        )  # fmt: skip
        if config.init is not None:
            return _given_network(config.init, wanted)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "judge weights"))
            return AttributeClassifier(wanted)

    def _nuisance_settings(self) -> tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]:
        """Names, means and standard deviations of what the data measures besides attributes."""
        if not self.data.nuisance_names:
            return (), (), ()
        values = torch.cat([nuisances for _, _, nuisances in self.data.in_order(256, NUM_STATISTICS)])
        mean, std = (tuple(statistic.tolist()) for statistic in (values.mean(dim=0), values.std(dim=0).clamp_min(1e-6)))
        return self.data.nuisance_names, mean, std


def _given_network(path: str, wanted: ClassifierConfig) -> AttributeClassifier:
    """The judge of a file, as `load_alike`, with the nuisances' mean and spread that it was trained with."""
    scale = ("nuisance_mean", "nuisance_std")
    given = load_alike(path, AttributeClassifier.kind, wanted, free=(*scale, "mirrored"))
    made = AttributeClassifier(replace(wanted, **{name: getattr(given.config, name) for name in scale}))
    made.load_state_dict(given.state_dict())
    return made
