"""The faces that directions are found on: latents, their styles, and what an observer sees in their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.model import Model
from styleT2I.generation.observers import exclusive_columns, open_observer
from styleT2I.networks.stylegan2.styles import shifted_styles, styles_of
from styleT2I.torch_utils.batching import images_at_a_time
from styleT2I.torch_utils.seeding import latents_of_seeds

FIRST_SEED = 1_000_000  # so that evaluations, which count seeds from 0, look at other faces
PSI = 0.7  # truncation of the latents, as of faces drawn by default
_MAPPED = 1024  # latents through the mapping network at a time
_MIN_SPREAD = 1e-6


class Samples:
    """`num` latents of one generator and the attributes that the model's guide judge, or CLIP without one, sees there.

    Drawn and observed when first asked for: SeFa and PCA themselves need no image.
    """

    def __init__(self, model: Model, names: Sequence[str], num: int, by: str = "auto"):
        """names: the attributes; by: who observes, "judge", "clip" or "auto".

        ConfigError for a model without a vocabulary, fewer than two latents, or a judge that does not know a name.
        """
        if model.vocabulary is None:
            raise ConfigError(f"model {model.name!r} has no vocabulary, so attributes have no names; add --vocabulary")
        if num < 2:
            raise ConfigError(f"directions are found on 2 or more faces, not {num}")
        self.model, self.names, self.num = model, tuple(names), num
        self.generator = model.network("generator")
        self.observer = open_observer(model, self.names, by)
        self.batch_size = images_at_a_time(self.generator.resolution)

    @cached_property
    @torch.no_grad()
    def ws(self) -> torch.Tensor:
        """Latents [N, num_ws, w_dim] on the model's device, the same w in every layer."""
        seeds = range(FIRST_SEED, FIRST_SEED + self.num)
        z = latents_of_seeds(seeds, self.generator.z_dim).to(self.model.device)
        psi = PSI if hasattr(self.generator.mapping, "w_avg") else 1
        return torch.cat([self.generator.mapping(part, truncation_psi=psi) for part in z.split(_MAPPED)])

    @property
    def w(self) -> torch.Tensor:
        """[N, w_dim]."""
        return self.ws[:, 0]

    @cached_property
    def reach(self) -> float:
        """Mean distance over W+ of a latent from the mean latent: the unit that steps are searched in."""
        return (self.ws - self.ws.mean(dim=0)).flatten(1).norm(dim=1).mean().item()

    @cached_property
    @torch.no_grad()
    def styles(self) -> dict[str, torch.Tensor]:
        """Styles [N, channels] by layer."""
        return styles_of(self.generator.synthesis, self.ws)

    @cached_property
    def style_spread(self) -> dict[str, torch.Tensor]:
        """Standard deviation [channels] of the styles by layer, never quite 0."""
        return {name: styles.std(dim=0).clamp_min(_MIN_SPREAD) for name, styles in self.styles.items()}

    @cached_property
    def margins(self) -> torch.Tensor:
        """Log-odds [N, A] of every attribute in every face, float64 on the CPU; above 0 the attribute is there."""
        return self.observed(self.ws)

    @cached_property
    def margin_spread(self) -> torch.Tensor:
        """Standard deviation [A] of the margins, never quite 0."""
        return self.margins.std(dim=0).clamp_min(_MIN_SPREAD)

    @torch.no_grad()
    def observed(self, ws: torch.Tensor, shifts: Mapping[str, torch.Tensor] | None = None) -> torch.Tensor:
        """Margins [n, A] in the images of other latents, their styles shifted alike; float64 on the CPU."""
        with shifted_styles(self.generator.synthesis, shifts or {}):
            parts = [
                self.observer.margins(self.generator.synthesis(part).clamp(-1, 1)).double().cpu()
                for part in ws.split(self.batch_size)
            ]
        return torch.cat(parts)

    def column(self, name: str) -> int:
        """Where an attribute stands among the margins."""
        return self.names.index(name)

    def unrelated(self, name: str) -> list[int]:
        """Columns of the other attributes, without those that exclude it: to turn gray hair on turns black off."""
        assert self.model.vocabulary is not None
        excluded = self.model.vocabulary.exclusive_of(name)
        return [k for k, other in enumerate(self.names) if other != name and other not in excluded]

    @property
    def groups(self) -> list[list[int]]:
        """Columns of the groups of which exactly one attribute holds."""
        return exclusive_columns(self.model.vocabulary, self.names)
