"""Set-up of direction networks' trainings: frozen networks, the spread of w, the free norm, a fresh network."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.texts.glove import read_glove
from styleT2I.networks.directions import DirectionConfig, GruTextConfig
from styleT2I.networks.registry import load_alike, load_network_component
from styleT2I.networks.stylegan2.config import check_draws_faces
from styleT2I.torch_utils.seeding import derive_seed, generator
from styleT2I.torch_utils.words import plain_words

NUM_W_SAMPLES = 4096  # for the spread of w, as many as the released code takes for its mean


def load_frozen(path: str, kind: str, device: torch.device) -> tuple[torch.nn.Module, str]:
    """A network without weight gradients, and the hash of its file; CheckpointError when it is of another kind.

    path: a component, or a file of any format that formats.foreign knows.
    """
    component = read_network(path)
    if component.kind != kind:
        raise CheckpointError(f"{component.path}: is a {component.kind!r} where a {kind!r} is needed")
    network = load_network_component(component, device)
    if kind == "stylegan2-generator":
        check_draws_faces(network.config, component.path)
    return network, component.sha256


@torch.no_grad()
def sample_w(G: torch.nn.Module, device: torch.device) -> torch.Tensor:
    """[NUM_W_SAMPLES, w_dim] latents, not truncated, the same ones every time."""
    z = torch.randn(NUM_W_SAMPLES, G.z_dim, generator=generator("w statistics"))
    return G.mapping(z.to(device))[:, 0]


@torch.no_grad()
def unedited_features(G, clip, w: torch.Tensor, size: int | None) -> torch.Tensor:
    """CLIP's features [B, D] of the images of w [B, w_dim], drawn `size` at a time (None: all at once)."""
    ws = w.unsqueeze(1).expand(-1, G.num_ws, -1)
    return torch.cat([clip.encode_image(G.synthesis(part)) for part in ws.split(size or len(ws))])


def free_norm(theta: float | None, theta_rel: float | None, w: torch.Tensor, num_ws: int) -> float:
    """The norm free of penalty, in units of W; theta_rel counts in the mean distance of w from its mean, over W+."""
    if theta is not None:
        return theta
    return theta_rel * (w - w.mean(dim=0)).norm(dim=1).mean().item() * num_ws**0.5


def build_direction_network(
    cls, config, G, clip, w: torch.Tensor, texts, seed: int, more_words: Iterable[str] = ()
) -> torch.nn.Module:
    """A fresh network of class `cls` in the shape that a T2DConfig or A2DConfig asks for, on the CPU.

    texts: sentences or phrases whose words the bi-GRU should know; used with text_encoder "gru" only. more_words: known
    too if they have a GloVe vector, which needs no training.
    """
    text_config, vectors = _text_encoder(config, texts, more_words) if config.text_encoder == "gru" else (None, None)
    direction = DirectionConfig(
        w_dim=G.w_dim, num_ws=G.num_ws, text_dim=text_config.hidden_dim if text_config else clip.embed_dim,
        hidden_dim=config.hidden_dim or G.num_ws * G.w_dim, num_hidden=config.num_hidden, space=config.space,
        rank=config.rank, standardize=config.standardize, text_encoder=text_config,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, f"{cls.kind} weights"))
        network = cls(direction)
    if config.standardize:
        network.trunk.set_w_statistics(w.cpu())
    if vectors is not None:
        network.text_encoder.load_vectors(vectors)
    if text_config and not text_config.train_embedding:
        network.text_encoder.embedding.requires_grad_(False)
    return network


def load_given(network: torch.nn.Module, path: str) -> None:
    """Give a network the weights of a file, as `load_alike`, less its null space, which is measured anew."""
    weights = load_alike(path, network.kind, network.config, free=("num_readings",)).state_dict()
    network.load_state_dict({key: weights[key] for key in network.state_dict()})


def _text_encoder(config, texts, more_words):
    """The bi-GRU's configuration over the words of the texts, and the GloVe vectors of these and others if given."""
    own = {word for text in texts for word in plain_words(text)}
    if config.glove is None:
        return GruTextConfig(tuple(sorted(own)), embedding_dim=config.embedding_dim, train_embedding=True), None
    words = tuple(sorted(own.union(more_words)))
    vectors, missing = read_glove(config.glove, words)
    if unread := [word for word in missing if word in own]:
        warnings.warn(f"{config.glove}: no vector of {_listed(unread)}; these words are not read", stacklevel=4)
    known = [i for i, word in enumerate(words) if word not in set(missing)]
    return GruTextConfig(tuple(words[i] for i in known), embedding_dim=vectors.shape[1]), vectors[known]


def _listed(words, most=10):
    """The first words, and the number of the others."""
    named = ", ".join(repr(word) for word in words[:most])
    return f"{named} and {len(words) - most} other words" if len(words) > most else named
