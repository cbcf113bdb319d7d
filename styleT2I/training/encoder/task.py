"""Training of an encoder into W+ on a generator's own samples and, where given, images of its world.

In the manner of encoder4editing (Tov et al. 2021, arXiv 2102.02766, section 4): the deltas of the layers are let in one
after the other, and their squares cost. Its discriminator of latents is left out: of a sample the true w is known here,
and the distance from it says more than a network that tells whether some w could have been drawn.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from styleT2I.config import to_dict
from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.formats.component import write_component
from styleT2I.inversion.distance import Distance, judge_distance
from styleT2I.metrics.fidelity import psnr
from styleT2I.networks.latent_encoder import LatentEncoder, LatentEncoderConfig
from styleT2I.torch_utils.batching import images_at_a_time
from styleT2I.torch_utils.distributed import draw_rows, own_rows
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import derive_seed, latents_of_seeds
from styleT2I.training.directions.setup import load_frozen, sample_w
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, schedule

_FIRST_UNSEEN = 1 << 40  # seeds of the samples that are measured on; training draws none from seeds
_NUM_SHOWN = 8


class EncoderTask(NetworkTask):
    """An encoder as a task of training.engine."""

    name = "encoder"

    def setup(self, device: torch.device) -> None:
        """Open generator, judge and data, and build the network; CheckpointError or DataError where one is unfit."""
        config, self.device = self.config, device
        self.generator, self.generator_sha256 = load_frozen(config.generator, "stylegan2-generator", device)
        judge = load_frozen(config.judge, "judge", device)[0] if config.judge else None
        self.distance = judge_distance(judge, config.feature_side) if judge else Distance("", None)
        G = self.generator
        self.data, self.eval_data = (
            open_dataset(spec, G.resolution, with_masks=False) if spec else None
            for spec in (config.data, config.eval_data)
        )
        shape = LatentEncoderConfig(G.w_dim, G.num_ws, config.resolution, config.widths, config.pyramid_dim,
                                    config.hidden_dim)  # fmt: skip
        w = sample_w(G, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "encoder weights"))
            self.network = LatentEncoder(shape)
            self.network.set_w_statistics(w.cpu())
        self.network.to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config.lr, weight_decay=config.weight_decay)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One optimisation step; its randomness comes from `rng` alone.

        Samples have their w to be compared with. Images are compared where they are data, of all where there is none.
        """
        config = self.config
        num_data = round(config.data_rate * config.batch_size) if self.data is not None else 0
        num_samples = config.batch_size - num_data
        with torch.no_grad():
            z = draw_rows(torch.randn, num_samples, self.generator.z_dim, generator=rng).to(self.device)
            w = self.generator.mapping(z, truncation_psi=config.truncation_psi)
            image = self.generator.synthesis(w).clamp(-1, 1)
        if num_data:
            indices = index_order(self.seed, len(self.data), num_data, step)[own_rows(num_data)]
            image = torch.cat([image, from_uint8(self.data.batch(indices).images_u8).to(self.device)])
        self.network.train()
        ws = self.network(image, self.num_deltas(step))
        seen = slice(len(w) if num_data else 0, None)
        loss_image = self.distance.to(image[seen])(self.generator.synthesis(ws[seen])).mean()
        spread = self.network.w_spread
        error = (ws[: len(w), 0] - w[:, 0]) / spread
        loss_latent = error.square().mean() if len(w) else ws.new_zeros(())
        deltas = (ws - ws[:, :1]) / spread
        loss_delta = deltas.square().sum(dim=1).mean()
        loss = loss_image + config.latent_weight * loss_latent + config.delta_weight * loss_delta
        descend(self.optimizer, loss, config.lr * schedule("warmup-cosine", step, self.num_steps))
        losses = {"": loss, "_image": loss_image, "_latent": loss_latent, "_delta": loss_delta}
        return {f"loss{name}": value.item() for name, value in losses.items()}

    def num_deltas(self, step: int) -> int:
        """How many layers, from the second on, have a delta of their own at a step."""
        all_deltas, first = self.generator.num_ws - 1, 0.1 * self.num_steps
        span = self.config.progressive * self.num_steps
        if span == 0:
            return all_deltas
        return max(0, min(all_deltas, int((step - first) / span * all_deltas) + 1)) if step >= first else 0

    def evaluate(self, step: int) -> dict[str, float]:
        """What `measure` finds on `eval_num` images, at the number of deltas that the training has reached."""
        return self._measure(self.network, self.config.eval_num, self.num_deltas(step))

    @torch.no_grad()
    def snapshot(self, step: int, outdir: Path) -> None:
        """Write unseen images above what is drawn from their estimated latents."""
        image = next(self._unseen(_NUM_SHOWN))[0]
        self.network.eval()
        drawn = self.generator.synthesis(self.network(image, self.num_deltas(step)))
        grid = make_grid_u8(torch.cat([to_uint8(image), to_uint8(drawn)]).cpu(), ncol=len(image), scale=2)
        save_png(Path(outdir) / f"encoder-{step:06d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the component NAME.json and NAME.safetensors (fp16), with metrics of what was written."""
        stored = LatentEncoder(self.network.config).to(self.device)
        stored.load_state_dict({key: tensor.half().float() if tensor.is_floating_point() else tensor
                                for key, tensor in self.network.state_dict().items()})  # fmt: skip
        measured = self._measure(stored, len(self.eval_data) if self.eval_data is not None else 400, None)
        parts = {"generator": self.config.generator, "judge": self.config.judge}
        names = {role: Path(path).name for role, path in parts.items() if path}
        training = {
            **to_dict(self.config),
            **names,
            "generator_sha256": self.generator_sha256,
            "distance": self.distance.name,
        }
        info = {"training": training, "measured": measured}
        config, state = to_dict(self.network.config), self.network.state_dict()
        write_component(outdir, self.config.name, LatentEncoder.kind, config, state, half=True, step=step, info=info)

    @torch.no_grad()
    def _measure(self, network, num, num_deltas):
        """psnr in dB; the distance; norms of deltas and, of samples, the distance from the true w, in W's spread."""
        network.eval()
        psnrs, distances, deltas, errors = [], [], [], []
        for image, w in self._unseen(num):
            ws = network(image, num_deltas)
            drawn = self.generator.synthesis(ws)
            psnrs.append(psnr(drawn.clamp(-1, 1), image).cpu())
            distances.append(self.distance.to(image)(drawn).cpu())
            deltas.append(((ws - ws[:, :1]).square().mean(dim=(1, 2)).sqrt() / network.w_spread).cpu())
            if w is not None:
                errors.append(((ws[:, 0] - w).square().mean(dim=1).sqrt() / network.w_spread).cpu())
        found = {"psnr": psnrs, "distance": distances, "delta": deltas, "w_error": errors}
        return {name: torch.cat(values).mean().item() for name, values in found.items() if values}

    def _unseen(self, num):
        """Batches of images that no step has: of the evaluation data, or samples with their w."""
        size = images_at_a_time(self.generator.resolution)
        if self.eval_data is not None:
            num = min(num, len(self.eval_data))
        for start in range(0, num, size):
            indices = range(start, min(start + size, num))
            if self.eval_data is not None:
                yield from_uint8(self.eval_data.batch(indices).images_u8).to(self.device), None
                continue
            z = latents_of_seeds((_FIRST_UNSEEN + index for index in indices), self.generator.z_dim).to(self.device)
            w: Tensor = self.generator.mapping(z)
            yield self.generator.synthesis(w).clamp(-1, 1), w[:, 0]
