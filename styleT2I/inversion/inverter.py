"""Images into latents of a model's generator, by any of the methods."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace

import torch
from torch import Tensor

from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.generation.arguments import INVERSIONS
from styleT2I.generation.model import Model
from styleT2I.generation.synthesis import exact_convolutions
from styleT2I.inversion.arguments import STEPS, InversionConfig
from styleT2I.inversion.bending import bent_to
from styleT2I.inversion.distance import open_distance
from styleT2I.inversion.latent_space import LatentSpace
from styleT2I.inversion.optimisation import Found, optimised
from styleT2I.inversion.result import Inversion
from styleT2I.metrics.fidelity import psnr
from styleT2I.torch_utils.images import from_uint8, to_uint8
from styleT2I.torch_utils.seeding import generator

__all__ = ["Inverter"]


class Inverter:
    """Finds latents of images; opens generator, distance and encoder once.

    No image depends on the others: on a CPU each is inverted alone, elsewhere those of a batch at a time.
    """

    def __init__(self, model: Model, config: InversionConfig | None = None, *, batch_size: int | None = None):
        """model: with a generator. batch_size: None for the usual; another one lets images of a CPU's batch differ in
        their last bits. CheckpointError, ConfigError where a network that is asked for is missing."""
        self._batch_size = batch_size
        self.model, self.config = model, config or InversionConfig()
        self.generator = model.network("generator")
        self.distance = open_distance(model, self.config.distance)
        self.space = LatentSpace.of(self.generator)
        self.method = self.checked(self.config.method)

    @property
    def batch_size(self) -> int:
        """Images that are inverted at a time."""
        if self._batch_size:
            return self._batch_size
        if self.model.device.type == "cpu":
            return 1
        return max(1, min(8, 2048 // self.generator.resolution))

    def checked(self, method: str) -> str:
        """The method that a name stands for; ConfigError, CheckpointError where it is unknown or cannot be had."""
        InversionConfig(method)
        best = "encoder+" if self.model.has("encoder") else "w+"
        method = best if method == "auto" else method
        if method in ("encoder", "encoder+"):
            shape = self.model.network("encoder").config
            if (shape.num_ws, shape.w_dim) != (self.generator.num_ws, self.generator.w_dim):
                raise CheckpointError("the encoder is of another generator; train one with styleT2I.train_encoder")
        return method

    def invert(
        self, images_u8: Tensor, methods: Sequence[str] = ("auto",), weights: Tensor | None = None
    ) -> list[dict[str, Inversion]]:
        """Invert images by several methods, which share what they have in common.

        Args:
            images_u8: [N, 3, R, R] uint8, R the generator's resolution; aligned as its training images are.
            methods: Of `generation.arguments.INVERSIONS`, or "auto".
            weights: [N, 1, R, R] from 0, what must not count, to 1; None: all counts.

        Returns:
            N times method -> Inversion, whose `record` has the distance, psnr in dB and seconds.

        Raises:
            ConfigError: Images of another shape, or an unknown method.
        """
        side = self.generator.resolution
        if images_u8.dtype != torch.uint8 or images_u8.shape[1:] != (3, side, side):
            raise ConfigError(f"images are uint8 [N, 3, {side}, {side}], not {images_u8.dtype} {list(images_u8.shape)}")
        names = [self.checked(method) for method in methods]
        found = []
        for start in range(0, len(images_u8), self.batch_size):
            rows = slice(start, start + self.batch_size)
            found += self._inverted(images_u8[rows], names, None if weights is None else weights[rows])
        return found

    def _inverted(self, images_u8, names, weights):
        work = _Work(self, images_u8, weights)
        by_method = {name: work.by(name) for name in dict.fromkeys(names)}
        return [{name: inversions[row] for name, inversions in by_method.items()} for row in range(len(images_u8))]


class _Work:
    """Some images on their way: what a method found is where the next ones begin."""

    def __init__(self, inverter: Inverter, images_u8, weights):
        self.inverter, self.config, self.G = inverter, inverter.config, inverter.generator
        device = inverter.model.device
        self.image = from_uint8(images_u8).to(device)
        self.weights = None if weights is None else weights.to(device)
        self.distances = inverter.distance.to(self.image, self.weights)
        self.found: dict[str, Found] = {}
        self.seconds: dict[str, float] = {}

    def by(self, method: str) -> list[Inversion]:
        """The images' inversions by a method."""
        if method == "pivotal":
            return self._bent()
        found = self._found(method)
        drawn = self._drawn(found)
        return [self._inversion(method, found, row, drawn[row : row + 1], {}) for row in range(len(self.image))]

    def _found(self, method) -> Found:
        if method not in self.found:
            before, began = 0.0, time.perf_counter()
            if method == "encoder+":
                self._found("encoder")
                before, began = self.seconds["encoder"], time.perf_counter()
            self.found[method] = self._search(method)
            self.seconds[method] = before + time.perf_counter() - began
        return self.found[method]

    def _search(self, method) -> Found:
        with exact_convolutions():
            if method == "encoder":
                return self._encoded()
            steps = self.config.steps or STEPS[method]
            common = (self.G, self.inverter.space, self.distances)
            rng = generator("inversion", method, self.config.seed)
            if method == "encoder+":
                start = self.found["encoder"].ws
                return optimised(*common, start, self.config, steps, rng, in_w=False, disturbed=False)
            tries = [
                optimised(*common, self._start(restart, rng), self.config, steps, rng, in_w=method == "w")
                for restart in range(self.config.restarts)
            ]
            return _best(tries)

    def _start(self, restart, rng):
        """The mean, and in later tries other latents."""
        mean = self.inverter.space.mean
        if restart:
            z = torch.randn(len(self.image), self.G.z_dim, generator=rng).to(mean)
            with torch.no_grad():
                return self.G.mapping(z)
        return mean.expand(len(self.image), self.G.num_ws, -1)

    @torch.no_grad()
    def _encoded(self):
        ws = self.inverter.model.network("encoder")(self.image)
        return Found(ws, {}, self.distances(self.G.synthesis(ws)))

    def _bent(self):
        pivot_method = self.inverter.checked("auto")
        pivot = self._found(pivot_method)
        result = []
        for row in range(len(self.image)):  # a generator is bent to one image
            began = time.perf_counter()
            ws, noise = pivot.ws[row : row + 1], {name: map[row, 0] for name, map in pivot.noise.items()}
            weights = None if self.weights is None else self.weights[row : row + 1]
            distances = self.inverter.distance.to(self.image[row : row + 1], weights)
            with exact_convolutions():
                change = bent_to(self.G.synthesis, ws, distances, steps=self.config.tune_steps, noise=noise)
            self.seconds["pivotal"] = self.seconds[pivot_method] / len(self.image) + time.perf_counter() - began
            one = Inversion(ws[0].cpu(), {name: map.cpu() for name, map in noise.items()}, change)
            with torch.no_grad(), one.drawing(self.G):
                drawn = self.G.synthesis(ws)
                found = replace(pivot, distance=pivot.distance.clone())
                found.distance[row] = distances(drawn)[0]
            result.append(self._inversion("pivotal", found, row, drawn, change, pivot=pivot_method))
        return result

    @torch.no_grad()
    def _drawn(self, found):
        drawn = []
        for row in range(len(self.image)):
            one = Inversion(found.ws[row], {name: map[row, 0] for name, map in found.noise.items()})
            with one.drawing(self.G):
                drawn.append(self.G.synthesis(found.ws[row : row + 1]))
        return torch.cat(drawn)

    def _inversion(self, method, found, row, drawn, change, **more) -> Inversion:
        """One image's result; drawn [1, 3, R, R]."""
        image, space = self.image[row : row + 1], self.inverter.space
        ws = found.ws[row : row + 1]
        shown = from_uint8(to_uint8(drawn))
        seconds = self.seconds[method] if method == "pivotal" else self.seconds[method] / len(self.image)
        record = {
            "method": method, **more, "title": INVERSIONS[method], "distance_by": self.inverter.distance.name,
            "distance": found.distance[row].item(), "psnr": psnr(shown, image).item(),
            "from_mean": space.from_mean(ws).item(), "from_w": space.from_w(ws).item(), "seconds": round(seconds, 2),
            "is_masked": self.weights is not None, "settings": asdict(self.config),
            "generator_sha256": self.inverter.model.describe()["components"]["generator"],
        }  # fmt: skip
        noise = {name: map[row, 0].half().float().cpu() for name, map in found.noise.items()}
        return Inversion(ws[0].cpu(), noise, change, record)


def _best(tries: Sequence[Found]) -> Found:
    """Of each row the try that came nearest."""
    chosen = torch.stack([found.distance for found in tries]).argmin(dim=0).tolist()
    rows = [(tries[index], row) for row, index in enumerate(chosen)]
    return Found(
        torch.stack([found.ws[row] for found, row in rows]),
        {name: torch.stack([found.noise[name][row] for found, row in rows]) for name in tries[0].noise},
        torch.stack([found.distance[row] for found, row in rows]),
    )
