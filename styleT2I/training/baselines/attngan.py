"""Training of AttnGAN (Xu et al. 2018) as a task of training.engine, against frozen DAMSM encoders."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.attention_maps import attention_picture_u8
from styleT2I.baselines.attngan import AttnGANGenerator
from styleT2I.baselines.damsm import TextFeatures
from styleT2I.baselines.matching import damsm_losses
from styleT2I.baselines.stackgan import StackGANDiscriminator
from styleT2I.config import override, to_dict
from styleT2I.data.training.captioned import CaptionedData, equal_captions
from styleT2I.errors import ConfigError
from styleT2I.formats.component import write_component
from styleT2I.formats.model_folder import write_model_manifest
from styleT2I.generation.systems.sentence_encoders import copy_network, padded
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.networks.registry import load_network, load_network_component
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import draw_rows, own_rows, rolled
from styleT2I.torch_utils.hardware.recorded_steps import RecordedSteps, read
from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import latents_of_seeds
from styleT2I.training.baselines.attngan_config import discriminator_configs
from styleT2I.training.baselines.damsm import pick_captions, round_to_half
from styleT2I.training.baselines.losses import kl_to_standard_normal, two_headed_discriminator_loss
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, held_fixed, move_average
from styleT2I.training.stylegan2.evaluation import JudgeFeatures, PixelFeatures
from styleT2I.training.stylegan2.losses import nonsaturating_generator_loss

NUM_SAMPLES = 32  # of an image of samples
EVAL_BATCH = 32


class AttnGANTask(NetworkTask):
    """Generator G, one discriminator per stage, and the averaged generator G_ema, which is what a run is for."""

    name = "attngan"
    parts = ("G", "Ds", "G_ema", "G_optimizer", "D_optimizer")

    def setup(self, device: torch.device) -> None:
        """Open the data, load the encoders, build the networks; ConfigError where they do not fit each other."""
        config = self.config
        self.device = device
        self.text = _load(config.text_encoder, ("damsm-text", "damsm-clip-text"), device)
        self.image = _load(config.image_encoder, ("damsm-image",), device)
        text_dim = self.text.config.text_dim
        if self.image.config.text_dim != text_dim:
            raise ConfigError(
                f"{config.image_encoder}: its features have {self.image.config.text_dim} numbers, those of "
                f"{config.text_encoder} {text_dim}; give the two encoders of one DAMSM"
            )
        self.G = AttnGANGenerator(override(config.generator, text_dim=text_dim)).to(device)
        self.Ds = nn.ModuleList(
            StackGANDiscriminator(one) for one in discriminator_configs(self.G.config, config.d_width, text_dim)
        ).to(device)
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.G_optimizer = torch.optim.Adam(self.G.parameters(), lr=config.g_lr, betas=config.betas)
        self.D_optimizer = torch.optim.Adam(self.Ds.parameters(), lr=config.d_lr, betas=config.betas)
        self.steps = RecordedSteps(device, [self.G_optimizer, self.D_optimizer])
        self.data = CaptionedData(config.data, self.G.resolution)
        self.batch_of = Ahead(functools.partial(self.data.training_batch, self.seed, config.batch_size))
        self.eval_data = CaptionedData([config.eval_data], self.G.resolution) if config.eval_data else None
        judge = load_network_component(config.judge, device) if config.judge else None
        self.extractor = PixelFeatures() if judge is None else JudgeFeatures(judge)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Update every discriminator on the batch and the generator's images of its captions, then the generator."""
        config = self.config
        batch = self.batch_of(step)
        captions = pick_captions(batch.captions, rng)
        if config.shuffle_captions:
            captions = captions[2:] + captions[:2]
        text = self._read(captions, own_rows(len(captions)))
        if self.steps.is_recording:
            text = padded(text, config.max_words)
        noise = draw_rows(torch.randn, len(text.sentence), self.G.noise_dim, generator=rng)
        rates = (config.d_lr, config.g_lr)
        return read(self.steps("GAN", self._update, rates, noise, text, batch.image, equal_captions(captions)))

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Frechet distance of the averaged generator's images of unseen captions to their images; {} without."""
        figures = {"kimg": step * self.config.batch_size / 1000}
        if self.eval_data is None:
            return figures
        reals, fakes, start = [], [], 0
        for batch in self.eval_data.in_order(EVAL_BATCH, self.config.eval_num):
            made = self._draw([options[0] for options in batch.captions], range(start, start + len(batch.image)))
            fakes.append(self.extractor.features(made.images[-1]))
            reals.append(self.extractor.features(batch.image.to(self.device)))
            start += len(batch.image)
        return {**figures, f"frechet_{self.extractor.name}": frechet_distance(torch.cat(fakes), torch.cat(reals))}

    @torch.no_grad()
    def snapshot(self, step: int, outdir: Path) -> None:
        """Write a grid of fixed captions and seeds, and where the first image's words were read."""
        data = self.eval_data or self.data
        captions = [data.batch([i]).captions[0][0] for i in range(min(NUM_SAMPLES, len(data)))]
        made = self._draw(captions, range(len(captions)))
        scale = -(-96 // self.G.resolution)
        save_png(Path(outdir) / f"samples-{step:07d}.png", make_grid_u8(to_uint8(made.images[-1]), 8, scale=scale))
        if made.attention:
            words = self.text.known_words(captions[0])[: self.config.max_words]
            grid = attention_picture_u8(made.images[-1][0], made.attention[-1][0], words)
            save_png(Path(outdir) / f"attention-{step:07d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the averaged generator and its text encoder, joined by a model.json, and discriminator0, 1, ... ."""
        outdir, settings, half = Path(outdir), self.config, self.config.half
        if half:
            round_to_half(self.G_ema)
        paths = ("text_encoder", "image_encoder", "judge")
        names = {role: Path(path).name for role in paths if (path := getattr(settings, role))}
        info = {
            "text": {"encoder": "damsm", "max_words": settings.max_words},
            "training": {"model": self.name, **to_dict(settings), **names},
            "measured": self.evaluate(step),
        }
        networks = {f"discriminator{stage}": network for stage, network in enumerate(self.Ds)}
        for name, network in (networks | {self.name: self.G_ema}).items():
            config, state = to_dict(network.config), network.state_dict()
            write_component(outdir, name, network.kind, config, state, half=half, step=step, info=info)
        role = "text_encoder" if self.text.kind == "damsm-text" else "clip_words"
        reader = copy_network(outdir, role, settings.text_encoder)
        is_minifaces = all(part.startswith("minifaces:") for part in settings.data)
        files = {self.name: f"{self.name}.json", role: reader}
        write_model_manifest(outdir, self.name, files, "minifaces" if is_minifaces else None)

    @torch.no_grad()
    def _read(self, captions, rows=slice(None)) -> TextFeatures:
        return self.text(self.text.tokenize(captions, self.config.max_words)[rows].to(self.device))

    def _draw(self, captions, seeds):
        """The averaged generator's output for captions, each from its own seed."""
        noise = latents_of_seeds(seeds, self.G.noise_dim).to(self.device)
        return self.G_ema(noise, *_arguments(self._read(captions)))

    def _update(self, rates, noise, text, image, also_true):
        d_rate, g_rate = rates
        made = self.G(noise, *_arguments(text))
        metrics = self._update_discriminators(d_rate, image, made.images, text.sentence)
        metrics |= self._update_generator(g_rate, made, text, also_true)
        move_average(self.G_ema, self.G, self.config.ema)
        return metrics

    def _update_discriminators(self, rate, image, fakes, sentence):
        total, metrics = 0.0, {}
        wrong = rolled(sentence, 1)
        for stage, (network, fake) in enumerate(zip(self.Ds, fakes, strict=True)):
            real = F.interpolate(image, size=fake.shape[2:], mode="area")
            h = network.encode(real)
            fake_logits, fake_alone = network(fake.detach(), sentence)
            loss = two_headed_discriminator_loss(
                network.matching(h, sentence), network.matching(h, wrong), fake_logits,
                network.uncond_head(h).flatten(), fake_alone,
            )  # fmt: skip
            total = total + loss
            metrics[f"loss_d{stage}"] = loss
        descend(self.D_optimizer, total, rate)
        return metrics

    def _update_generator(self, rate, made, text, also_true):
        config = self.config
        with held_fixed(self.Ds):
            adversarial = sum(
                nonsaturating_generator_loss(logits)
                for network, fake in zip(self.Ds, made.images, strict=True)
                for logits in network(fake, text.sentence)
            )
            words, sentences = damsm_losses(text, self.image(made.images[-1]), also_true)
            kl = kl_to_standard_normal(made.mu, made.logvar)
            loss = adversarial + config.damsm_weight * (words + sentences) + config.kl_weight * kl
            descend(self.G_optimizer, loss, rate)
        return {"loss_g": adversarial, "loss_words": words, "loss_sentences": sentences, "loss_kl": kl}


def _arguments(text):
    return text.sentence, text.words, text.mask


def _load(path, kinds, device):
    network = load_network(path).to(device)
    if network.kind not in kinds:
        raise ConfigError(f"{path}: is a {network.kind}, not a {kinds[0]}; give an encoder that was trained as DAMSM")
    return network
