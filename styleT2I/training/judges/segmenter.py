"""Training of the part segmenter on images with region masks."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch.nn import functional as F

from styleT2I.config import to_dict
from styleT2I.data.training.augment import random_degrade, random_shift
from styleT2I.data.training.labelled import LabelledData
from styleT2I.formats.component import write_component
from styleT2I.networks.faces.segmenter import Segmenter, SegmenterConfig
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import summed
from styleT2I.torch_utils.hardware.recorded_steps import RecordedSteps, read
from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import derive_seed
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, schedule


class SegmenterTask(NetworkTask):
    """A segmenter as a task of training.engine."""

    name = "segmenter"

    def setup(self, device: torch.device) -> None:
        """Open the data and build the network; DataError where the data lacks masks or sets disagree."""
        config = self.config
        self.device = device
        self.data = LabelledData(config.data, "masks", config.resolution)
        self.eval_data = LabelledData((config.eval_data,), "masks", config.resolution)
        self.data.check_same_names(self.eval_data)
        self.batch_of = Ahead(functools.partial(self.data.training_batch, self.seed, config.batch_size))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "segmenter weights"))
            self.network = Segmenter(SegmenterConfig(self.data.names, config.resolution, config.widths)).to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        self.steps = RecordedSteps(device, [self.optimizer])

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One optimisation step; its randomness comes from `rng` alone."""
        config = self.config
        image, masks, _ = self.batch_of(step)
        image, masks = random_shift([image, masks], rng, config.degrade.shift)
        image = random_degrade(image, rng, config.degrade)
        self.network.train()
        rate = config.lr * schedule("warmup-cosine", step, self.num_steps)
        return read(self.steps("step", self._update, rate, image, masks))

    def evaluate(self, step: int) -> dict[str, float]:
        """Intersection over union of every region on unseen images, and their mean."""
        regions = measure_segmenter(self.network, self.eval_data, self.config.eval_num)["iou"]
        return {"iou_mean": sum(regions.values()) / len(regions), **{f"iou/{k}": v for k, v in regions.items()}}

    @torch.no_grad()
    def snapshot(self, step: int, outdir: Path) -> None:
        """Write a grid of unseen images, each above its true and its found regions in colours."""
        image, masks, _ = self.eval_data.batch(range(min(8, len(self.eval_data))))
        self.network.eval()
        found = self.network(image.to(self.device)).cpu() > 0
        rows = torch.cat([to_uint8(image), paint_regions_u8(masks), paint_regions_u8(found)])
        save_png(Path(outdir) / f"regions-{step:06d}.png", make_grid_u8(rows, ncol=len(image), scale=2))

    def export(self, outdir: Path, step: int) -> None:
        """Write the component NAME.json and NAME.safetensors (fp16), with metrics measured on what was written."""
        stored = Segmenter(self.network.config).to(self.device)
        stored.load_state_dict({key: tensor.half().float() if tensor.is_floating_point() else tensor
                                for key, tensor in self.network.state_dict().items()})  # fmt: skip
        info = {"training": to_dict(self.config), "measured": measure_segmenter(stored, self.eval_data)}
        config = to_dict(self.network.config)
        state = self.network.state_dict()
        write_component(outdir, self.config.name, Segmenter.kind, config, state, half=True, step=step, info=info)

    def _update(self, rate, image, masks):
        logits = self.network(image)
        target = masks.to(logits)
        cross_entropy = F.binary_cross_entropy_with_logits(logits, target)
        overlap = dice_loss(logits, target)
        loss = cross_entropy + self.config.overlap_weight * overlap
        descend(self.optimizer, loss, rate)
        return {"loss": loss, "loss_cross_entropy": cross_entropy, "loss_overlap": overlap}


def dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - Dice overlap of each region over the whole batch, averaged over regions (Milletari et al. 2016, eq. 1).

    logits, target [N, R, H, W], the target in [0, 1]; the batch is that of all processes. Summing over it keeps a
    region that is absent from one image from counting there; with 1 added on both sides an absent region costs nothing
    when nothing is found.
    """
    found = logits.sigmoid()
    overlap, both = summed(torch.stack([(found * target).sum(dim=(0, 2, 3)), (found + target).sum(dim=(0, 2, 3))]))
    return 1 - ((2 * overlap + 1) / (both + 1)).mean()


@torch.no_grad()
def measure_segmenter(network: Segmenter, data: LabelledData, num: int | None = None) -> dict:
    """Intersection over union by region, over all pixels of the first `num` images (all by default) together."""
    network.eval()
    device = next(network.parameters()).device
    both = either = count = 0
    for image, masks, _ in data.in_order(64, num):
        found = network(image.to(device)).cpu() > 0
        both = both + (found & masks).sum(dim=(0, 2, 3)).double()
        either = either + (found | masks).sum(dim=(0, 2, 3)).double()
        count += len(image)
    return {"num": count, "iou": dict(zip(data.names, (both / either.clamp_min(1)).tolist(), strict=True))}


def paint_regions_u8(masks: torch.Tensor) -> torch.Tensor:
    """Regions [N, R, H, W] bool in distinct colours, later regions over earlier ones, black elsewhere: [N, 3, H, W]."""
    num_regions = masks.shape[1]
    hues = torch.arange(num_regions)[:, None] / num_regions + torch.tensor([0.0, 1 / 3, 2 / 3])
    colours = (0.5 + 0.5 * torch.cos(2 * torch.pi * hues)) * 255  # [R, 3]
    painted = torch.zeros(len(masks), 3, *masks.shape[2:], dtype=torch.uint8)
    for region in range(num_regions):
        painted = torch.where(masks[:, region, None], colours[region].round().to(torch.uint8).view(3, 1, 1), painted)
    return painted
