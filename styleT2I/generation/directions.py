"""Where latents are moved: a sentence's direction, the directions of attributes, their adjusted sum; and one sentence
drawn on many seeds by them, a block at a time, which bounds the memory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from styleT2I.attributes.prompt import Prompt
from styleT2I.generation.adjustment import Adjusted, adjust
from styleT2I.generation.arguments import CLARITY, AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.generation.observers import Observer, open_observer
from styleT2I.generation.synthesis import Synthesis, exact_convolutions
from styleT2I.metrics.attributes import encode_requests
from styleT2I.torch_utils.batching import each_alone, rows_alone

BLOCK = 64  # latents adjusted and drawn at a time; one on a CPU, where rows are run alone


class Directions:
    """The direction networks of a model, and the observers that adjust their sum. No row depends on another."""

    def __init__(self, model: Model, synthesis: Synthesis):
        self.model, self.synthesis = model, synthesis
        self._observers: dict[tuple, Observer] = {}
        self._encoded_phrases: dict[tuple, tuple] = {}
        self._clip_strengths: dict[tuple[str, bool], float] = {}

    def text_features(self, texts: Sequence[str]) -> torch.Tensor:
        """Features of N sentences for Text-to-Direction [N, text_dim], each text encoded once."""
        encoded = {text: self._encode("t2d", text) for text in dict.fromkeys(texts)}
        return torch.cat([encoded[text] for text in texts])

    def of_sentences(
        self,
        ws: torch.Tensor,
        prompts: Sequence[Prompt],
        text_features: torch.Tensor,
        adjustment: AdjustmentConfig | None,
    ) -> Adjusted:
        """The adjusted direction of each sentence at its latent, ws [N, num_ws, w_dim]; text_features [N, text_dim]."""
        t2d = self.model.network("t2d")
        with exact_convolutions():
            s = rows_alone(t2d, self.synthesis.batch_size, ws[:, 0], text_features)  # [N, num_ws, w_dim]
            names = self._adjustable(prompts, adjustment)
            if not names:
                return Adjusted.untouched(s)
            if s.device.type != "cpu":
                return self._adjusted(ws, s, prompts, names, adjustment)
            rows = zip(each_alone(ws, s), prompts, strict=True)
            return Adjusted.join([
                self._adjusted(ws, s, [prompt], names, adjustment) for (ws, s), prompt in rows
            ])  # fmt: skip

    def of_attributes(self, w: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """The directions of A attributes [N, A, num_ws, w_dim] at latents w [N, w_dim], not normalised.

        A latent's batch has a place for each attribute that A2D was trained on, filled or not, so that no direction
        depends on which others are asked for.
        """
        a2d = self.model.network("a2d")
        places, features = self._phrases(tuple(names))
        num = len(features)

        def directions(w):
            rows = a2d(w.repeat_interleave(num, dim=0), features.repeat(len(w), 1))
            return rows.unflatten(0, (len(w), num))[:, places]

        return rows_alone(directions, self.synthesis.batch_size, w)

    def moved(self, ws: torch.Tensor, steps: Mapping[str, float]) -> torch.Tensor:
        """Latents ws after signed steps by attribute, in units of W, along directions taken at the unmoved latent."""

        def move(ws):
            directions = self.of_attributes(ws.mean(dim=1), list(steps))  # [N, A, num_ws, w_dim]
            units = directions / directions.flatten(2).norm(dim=2)[:, :, None, None].clamp_min(1e-8)
            return ws + (torch.tensor(list(steps.values()), device=ws.device)[:, None, None] * units).sum(dim=1)

        with exact_convolutions():
            return rows_alone(move, self.synthesis.batch_size, ws)

    def clip_strength(self, name: str, value: bool) -> float:
        """The step that turns an attribute on, or off, as CLIP observes it (`editing.strengths`); measured once."""
        from styleT2I.generation.editing.strengths import clip_strength

        if (name, value) not in self._clip_strengths:
            self._clip_strengths[name, value] = clip_strength(self.model, name, value)
        return self._clip_strengths[name, value]

    def possible(self, adjustment: AdjustmentConfig | str | None) -> AdjustmentConfig | None:
        """The adjustment that the model is able to, None for none; a warning where it is not able to the one given."""
        can_adjust = self.model.has("a2d") and self.model.vocabulary is not None
        if isinstance(adjustment, str):  # "auto", the only name that is left
            return self._with_clarity(AdjustmentConfig()) if can_adjust else None
        if adjustment is not None and not can_adjust:
            reason = "Attribute-to-Direction network" if self.model.vocabulary is not None else "vocabulary"
            warnings.warn(f"model {self.model.name!r} has no {reason}, so nothing is adjusted", stacklevel=4)
            return None
        return adjustment and self._with_clarity(adjustment)

    def _with_clarity(self, adjustment):
        """The adjustment with the clarity that the model names, where it says none itself."""
        if adjustment.clarity is not None or not self.model.has("a2d"):
            return adjustment
        return replace(adjustment, clarity=self.model.info("a2d").get("clarity", CLARITY))

    def unadjusted(self, prompts: Sequence[Prompt], adjustment: AdjustmentConfig | None) -> tuple[str, ...]:
        """A warning where prompts ask for attributes that the Attribute-to-Direction network was not trained on."""
        asked = set().union(*(prompt.attributes for prompt in prompts))
        if adjustment is None or adjustment.method == "none" or not asked or self.model.vocabulary is None:
            return ()
        trained = self._trained_attributes()
        unknown = [name for name in self.model.vocabulary.names if name in asked and name not in trained]
        if not unknown:
            return ()
        them = "it" if len(unknown) == 1 else "them"
        return (
            f"the Attribute-to-Direction network was not trained on {', '.join(unknown)}, so nothing is adjusted for "
            f"{them}: the sentence alone decides",
        )

    def clip_margins(self, names: Sequence[str], ws: torch.Tensor) -> torch.Tensor:
        """CLIP's margins of some attributes in latents, on the CPU, in a table of all: [N, A], NaN for the others."""
        vocabulary = self.model.vocabulary.names if self.model.vocabulary else tuple(names)
        with exact_convolutions():
            margins = self._margins(self._observer(tuple(names), "clip"), ws).cpu()
        table = margins.new_full((len(ws), len(vocabulary)), float("nan"))
        table[:, [vocabulary.index(name) for name in names]] = margins
        return table

    def _encode(self, role, text):
        network = self.model.network(role)
        return network.encode_text([text], None if network.text_encoder else self.model.network("clip"))

    def _trained_attributes(self):
        return self.model.info("a2d").get("attributes", self.model.vocabulary.names)

    def _adjustable(self, prompts, adjustment):
        """The attributes to find directions of, in the vocabulary's order: all if images are observed (what is clear
        there is measured by all), else those asked for."""
        asked = set().union(*(prompt.attributes for prompt in prompts))
        if adjustment is None or not asked or (adjustment.method == "none" and not self.model.has("a2d")):
            return ()
        trained = self._trained_attributes()
        needed = self.model.vocabulary.names if adjustment.looks else asked
        return tuple(name for name in self.model.vocabulary.names if name in trained and name in needed)

    def _phrases(self, names):
        """Places of the names in a batch, and that batch's text features [places, text_dim], zeros elsewhere."""
        if names not in self._encoded_phrases:
            known, vocabulary = self._trained_attributes(), self.model.vocabulary
            known = known if set(names) <= set(known) else vocabulary.names
            encoded = torch.cat([self._encode("a2d", vocabulary[name].side(True).phrase) for name in names])
            places, features = [known.index(name) for name in names], encoded.new_zeros(len(known), encoded.shape[1])
            features[places] = encoded
            self._encoded_phrases[names] = (places, features)
        return self._encoded_phrases[names]

    def _adjusted(self, ws, s, prompts, names, adjustment):
        adjustment = self._with_clarity(adjustment)
        groups = [group.attributes for group in self.model.vocabulary.exclusive if group.exactly_one]
        requests = encode_requests(
            [{name: value for name, value in prompt.attributes.items() if name in names} for prompt in prompts],
            names,
            [group for group in groups if set(group) <= set(names)],
        )
        observer = self._observer(names, adjustment.by) if adjustment.looks else None
        directions = self.of_attributes(ws[:, 0], names)
        signs = (requests.asked * (2.0 * requests.values - 1)).to(s.device)
        is_free = requests.free.to(s.device)

        def adjusted(rows, project=lambda x: x):
            return adjust(
                project(s[rows]),
                project(directions[rows]),
                signs[rows],
                adjustment,
                names,
                is_free=is_free[rows],
                margins=lambda s, some: self._margins(observer, ws[rows][some] + s),
                observer=observer and observer.name,
            )

        rows, null_space = torch.arange(len(s), device=s.device), self.model.network("a2d").null_space
        if not adjustment.keeps or null_space is None:
            return adjusted(rows)
        kept = adjusted(rows, null_space)
        rows = rows[kept.num_wrong() > 0]
        return kept.improved(rows, adjusted(rows)) if len(rows) else kept  # what is asked for goes first

    def _observer(self, names, by):
        if (names, by) not in self._observers:
            self._observers[names, by] = open_observer(self.model, names, by)
        return self._observers[names, by]

    def _margins(self, observer, ws):
        """An observer's margins of latents ws [N, num_ws, w_dim]: [N, A]."""

        def observe(ws):
            return observer.margins(self.synthesis.images(ws).clamp(-1, 1))

        return rows_alone(observe, self.synthesis.batch_size, ws)


@dataclass(frozen=True)
class Drawn:
    """What a sentence became on N seeds, on the CPU, and how its directions were adjusted."""

    images_u8: torch.Tensor  # [N, 3, R, R] uint8
    unedited_u8: torch.Tensor  # of the same seeds without the sentence
    ws: torch.Tensor  # latents of `images_u8` [N, num_ws, w_dim]
    adjusted: Adjusted
    clip_margins: tuple[torch.Tensor, torch.Tensor] | None  # before and after the adjustment; Directions.clip_margins

    @classmethod
    def join(cls, blocks: Sequence[Drawn]) -> Drawn:
        """The rows of several as one."""
        images, unedited, ws = (
            torch.cat([getattr(block, name) for block in blocks]) for name in ("images_u8", "unedited_u8", "ws")
        )
        margins = [block.clip_margins for block in blocks if block.clip_margins is not None]
        before, after = ([pair[side] for pair in margins] for side in (0, 1))
        joined = (torch.cat(before), torch.cat(after)) if margins else None
        return cls(images, unedited, ws, Adjusted.join([block.adjusted for block in blocks]), joined)


def draw(
    directions: Directions,
    prompt: Prompt,
    seeds: Sequence[int],
    truncation_psi: float,
    noise_mode: str,
    adjustment: AdjustmentConfig | None,
) -> Drawn:
    """Draw a sentence on seeds with the generator that `directions` steers; adjustment: None for Text-to-Direction's
    direction as it is. The sentence is encoded once; on a CPU a latent that was observed is not drawn a second time.
    """
    synthesis, text_features = directions.synthesis, directions.text_features([prompt.text])
    size = 1 if directions.model.device.type == "cpu" else BLOCK
    blocks = []
    for start in range(0, len(seeds), size):
        block = seeds[start : start + size]
        with synthesis.remembering():
            ws = synthesis.latents(block, truncation_psi)
            features = text_features.repeat(len(block), 1)
            adjusted = directions.of_sentences(
                ws, [prompt] * len(block), features, adjustment or AdjustmentConfig("none")
            )
            edited = ws + adjusted.s_adjusted
            images, unedited = (synthesis.images_u8(styles, block, noise_mode) for styles in (edited, ws))
            margins = _clip_margins(directions, prompt, ws, adjusted)
        blocks.append(Drawn(images, unedited, edited.cpu(), adjusted, margins))
    return Drawn.join(blocks)


def _clip_margins(directions, prompt, ws, adjusted):
    """CLIP's margins before and after the adjustment, of the attributes asked for or stepped; None without a CLIP."""
    model = directions.model
    if not (prompt.attributes and model.has("clip")):
        return None
    stepped = {name for name, steps in zip(adjusted.names, adjusted.steps.t(), strict=True) if steps.any()}
    names = [name for name in model.vocabulary.names if name in prompt.attributes or name in stepped]
    after = directions.clip_margins(names, ws + adjusted.s_adjusted)
    if torch.equal(adjusted.s, adjusted.s_adjusted):
        return after, after
    return directions.clip_margins(names, ws + adjusted.s), after
