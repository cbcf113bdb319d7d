"""Training of the landmark network: rendered faces turned, moved and scaled in front of what is no face."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from styleT2I.config import to_dict
from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.data.training.augment import random_degrade
from styleT2I.errors import DataError
from styleT2I.formats.component import write_component
from styleT2I.networks.faces.landmark_network import LandmarkConfig, LandmarkNetwork
from styleT2I.torch_utils.distributed import averaged, draw_rows, own_rows
from styleT2I.torch_utils.hardware.recorded_steps import RecordedSteps, read
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import derive_seed, generator
from styleT2I.training.judges.config import LandmarkTrainingConfig
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, schedule

_BATCH = 64  # of measuring
PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}  # of iBUG's 68 points


class LandmarkTask(NetworkTask):
    """A landmark network as a task of training.engine."""

    name = "landmarks"

    def setup(self, device: torch.device) -> None:
        """Open the data and build the network; DataError where the data knows no landmarks."""
        config, self.device = self.config, device
        self.data, self.eval_data = (_with_landmarks(spec) for spec in (config.data, config.eval_data))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "landmark weights"))
            self.network = LandmarkNetwork(LandmarkConfig(config.resolution, config.widths)).to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        self.steps = RecordedSteps(device, [self.optimizer])

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One optimisation step; its randomness comes from `rng` alone."""
        config = self.config
        indices = index_order(self.seed, len(self.data), config.batch_size, step)[own_rows(config.batch_size)]
        image, points, is_face = squares(*_faces(self.data, indices), rng, config)
        image = random_degrade(image, rng, config.degrade)
        self.network.train()
        rate = config.lr * schedule("warmup-cosine", step, self.num_steps)
        return read(self.steps("step", self._update, rate, image, points, is_face))

    def evaluate(self, step: int) -> dict[str, float]:
        """Mean error in distances between the eyes, and how many squares are told rightly to show a face or none."""
        return measure_landmarks(self.network, self.eval_data, self.config, self.config.eval_num)

    @torch.no_grad()
    def snapshot(self, step: int, outdir: Path) -> None:
        """Write unseen squares with the landmarks found on them."""
        image, _, _ = _test_squares(self.eval_data, range(min(16, len(self.eval_data))), self.config)
        self.network.eval()
        _, points = self.network(image.to(self.device))
        drawn = torch.stack([dotted(one, at) for one, at in zip(to_uint8(image), points.cpu(), strict=True)])
        save_png(Path(outdir) / f"landmarks-{step:06d}.png", make_grid_u8(drawn, ncol=8, scale=2))

    def export(self, outdir: Path, step: int) -> None:
        """Write the component NAME.json and NAME.safetensors (fp16), with metrics of what was written."""
        stored = LandmarkNetwork(self.network.config).to(self.device)
        stored.load_state_dict({key: tensor.half().float() if tensor.is_floating_point() else tensor
                                for key, tensor in self.network.state_dict().items()})  # fmt: skip
        measured = measure_landmarks(stored, self.eval_data, self.config, len(self.eval_data))
        info = {"training": to_dict(self.config), "measured": measured}
        config, state = to_dict(self.network.config), self.network.state_dict()
        write_component(outdir, self.config.name, LandmarkNetwork.kind, config, state, half=True, step=step, info=info)

    def _update(self, rate, image, points, is_face):
        logit, found = self.network(image)
        loss_face = F.binary_cross_entropy_with_logits(logit, is_face.to(logit))
        wanted = is_face.to(found).view(-1, 1, 1)
        distance = (found - points.to(found)).abs() * wanted
        loss_points = distance.sum() / (averaged(wanted.sum()) * distance[0].numel()).clamp_min(1)
        loss = 20 * loss_points + loss_face
        descend(self.optimizer, loss, rate)
        return {"loss": loss, "loss_points": loss_points, "loss_face": loss_face}


def squares(image: Tensor, points: Tensor, rng: torch.Generator, config) -> tuple[Tensor, Tensor, Tensor]:
    """Squares as a search over a photo meets them, with landmarks and whether a face fills them.

    image: [N, 3, R, R] in [-1, 1], faces framed as FFHQ's; points: [N, 68, 2] in parts of the side. Returns images
    [N, 3, S, S], points [N, 68, 2] and bool [N]. Beyond a face's image lies a texture. Squares without a face show a
    part of one, far too large or small or aside, or the texture alone.
    """
    num, side = len(image), config.resolution

    def uniform(*shape, low=-1.0):
        return draw_rows(torch.rand, num, *shape, generator=rng) * (1 - low) + low

    is_face, is_texture, is_far = uniform(low=0) >= config.no_face, uniform(low=0) < 0.4, uniform(low=0) < 0.5
    zoom, shift = uniform() * config.zoom, uniform(2) * config.shift
    too_far, aside = uniform().sign() * (1.1 + 0.7 * uniform(low=0)), uniform(2)
    aside = aside / aside.abs().amax(dim=1, keepdim=True).clamp_min(1e-3) * (0.75 + 0.25 * uniform(1, low=0))
    zoom = torch.where(is_face | ~is_far, zoom, too_far)
    shift = torch.where((is_face | is_far)[:, None], shift, aside)
    image, points = _mirrored(image, points, uniform() < 0)
    matrix = _similarity(uniform() * math.radians(config.turn), zoom.exp(), 2 * shift)
    drawn, weight = _sampled(image, matrix, side)
    weight = torch.where((uniform() < 0).view(-1, 1, 1, 1), torch.ones(()), weight)  # half have their border repeated
    weight = torch.where((is_face | ~is_texture).view(-1, 1, 1, 1), weight, torch.zeros(()))
    places = torch.linalg.solve(matrix[:, :, :2], ((points * 2 - 1) - matrix[:, None, :, 2]).transpose(1, 2))
    mixed = drawn * weight + _textures(image, rng, side) * (1 - weight)
    return mixed, (places.transpose(1, 2) + 1) / 2, is_face


def _similarity(angle, size, shift):
    """Affine maps [N, 2, 3] from places of a square to places of the image, both in [-1, 1]."""
    cos, sin = angle.cos() * size, angle.sin() * size
    rows = torch.stack([torch.stack([cos, -sin], dim=1), torch.stack([sin, cos], dim=1)], dim=1)
    return torch.cat([rows, shift[:, :, None]], dim=2)


def _sampled(image, matrix, side):
    """The images at the places of the maps, from copies small enough that no pixel is skipped; and 1 where they are."""
    num, size = len(image), matrix[:, :, 0].norm(dim=1)  # squares of the image's side
    grid = F.affine_grid(matrix, [num, 3, side, side], align_corners=False)
    result = torch.zeros(num, 3, side, side)
    level = (size * image.shape[-1] / side).log2().round().clamp_min(0)
    for depth in level.unique().tolist():
        rows = level == depth
        small = F.avg_pool2d(image[rows], 2 ** int(depth))
        result[rows] = F.grid_sample(small, grid[rows], padding_mode="border", align_corners=False)
    return result, F.grid_sample(torch.ones_like(image[:, :1]), grid, align_corners=False)


def _textures(image, rng, side):
    """What is no face, [N, 3, side, side]: noise of every grain over smeared colours and corners of other images."""
    num = len(image)
    others = image.roll(1, dims=0)
    corner = others[:, :, : image.shape[-1] // 5, : image.shape[-1] // 5]  # what is behind the head
    smeared = F.adaptive_avg_pool2d(others, 3)
    base = torch.where(
        (draw_rows(torch.rand, num, 1, 1, 1, generator=rng) < 0.5), _resized(corner, side), _resized(smeared, side)
    )
    for grain in (4, 8, 16, 32):
        strength = draw_rows(torch.rand, num, 1, 1, 1, generator=rng).square() * 0.6
        channels = draw_rows(torch.randn, num, 3, grain, grain, generator=rng)
        grey = channels.mean(dim=1, keepdim=True)
        base = base + strength * _resized(torch.lerp(channels, grey, 0.7), side)
    return base.clamp(-1, 1)


def _resized(image, side):
    return F.interpolate(image, size=(side, side), mode="bilinear", align_corners=False)


_PAIRS = [*((k, 16 - k) for k in range(8)), *((k, 43 - k) for k in range(17, 22)), (31, 35), (32, 34), (36, 45),
          (37, 44),
          (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63),
          (67, 65)]  # fmt: skip
MIRROR = list(range(68))  # of iBUG's points, which one each becomes in a mirror
for _one, _other in _PAIRS:
    MIRROR[_one], MIRROR[_other] = _other, _one


def _mirrored(image, points, is_mirrored):
    """Images and points [N, 68, 2] in parts of the side, mirrored where `is_mirrored` [N]; left stays left."""
    flipped = points[:, MIRROR] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    rows = is_mirrored.view(-1, 1, 1)
    return torch.where(rows.unsqueeze(3), image.flip(3), image), torch.where(rows, flipped, points)


def dotted(image_u8: Tensor, points: Tensor) -> Tensor:
    """An image [3, H, W] uint8 with points [K, 2], in parts of its side, as green pixels."""
    height, width = image_u8.shape[1:]
    result = image_u8.clone()
    x, y = (points * torch.tensor([width, height])).long().unbind(dim=1)
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    result[:, y[is_inside], x[is_inside]] = torch.tensor([0, 255, 0], dtype=torch.uint8)[:, None]
    return result


@torch.no_grad()
def measure_landmarks(network: LandmarkNetwork, data, config: LandmarkTrainingConfig, num: int) -> dict[str, float]:
    """Metrics on `num` unseen faces, each in a square drawn as in training.

    error: mean distance of the landmarks in distances between the eyes' middles; error_second: after the square was
    laid anew by what was found (FFHQ's rule), as alignment does, and error_second/PART of each of PARTS; faces_told,
    others_told: rates of squares with a face, and without one, that are told so.
    """
    from styleT2I.photos.landmark_search import refined

    network.eval()
    device = next(network.parameters()).device
    errors, second, faces, others = [], [], [], []
    for start in range(0, min(num, len(data)), _BATCH):
        indices = range(start, min(start + _BATCH, num, len(data)))
        image, points, is_face = _test_squares(data, indices, config)
        logit, found = (t.cpu() for t in network(image.to(device)))
        eyes = (points[:, 36:42].mean(1) - points[:, 42:48].mean(1)).norm(dim=1)
        errors.append(((found - points).norm(dim=2).mean(1) / eyes)[is_face])
        again = refined(network, image, found)
        second.append(((again - points).norm(dim=2) / eyes[:, None])[is_face])
        faces.append((logit > 0)[is_face].float())
        others.append((logit <= 0)[~is_face].float())
    each = torch.cat(second)  # [N, 68]
    return {
        "error": torch.cat(errors).mean().item(),
        "error_second": each.mean().item(),
        **{f"error_second/{name}": each[:, points].mean().item() for name, points in PARTS.items()},
        "faces_told": torch.cat(faces).mean().item(),
        "others_told": torch.cat(others).mean().item(),
    }


def _test_squares(data, indices, config):
    return squares(*_faces(data, indices), generator("landmark squares", indices[0]), config)


def _faces(data, indices):
    """Images [N, 3, R, R] in [-1, 1] and landmarks [N, 68, 2] in parts of the side."""
    return from_uint8(data.batch(indices).images_u8), data.landmarks(indices).float() / data.resolution


def _with_landmarks(spec):
    data = open_dataset(spec, with_masks=False)
    if not hasattr(data, "landmarks"):
        raise DataError(f"{spec}: its faces have no landmarks; name rendered Portraits, portraits:balanced/judge-train")
    return data
