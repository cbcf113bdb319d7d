"""unCLIP's priors: masks, best of two, principal components, codes, sampling by the inverse of a sum."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from styleT2I.baselines.unclip.ar_prior import UnclipARPrior, fit_pca, inverse_cdf, smoothed_targets, uniform_of
from styleT2I.baselines.unclip.captions import CaptionEncoder
from styleT2I.baselines.unclip.config import ARPriorConfig, PriorConfig
from styleT2I.baselines.unclip.diffusion import cosine_abar
from styleT2I.baselines.unclip.prior import Caption, UnclipPrior, best_of
from styleT2I.baselines.unclip.trunk import TransformerBlock, causal_mask
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.seeding import SeedNoise
from tests.tiny_model import tiny_clip


def rows(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def example(cls, **changes):
    torch.manual_seed(0)
    network, args = cls.example()
    if changes:
        network = cls(dataclasses.replace(network.config, **changes))
    return network.eval().requires_grad_(False), args


def test_a_place_reads_none_behind_it_and_every_one_before_it_that_is_there():
    block, x = TransformerBlock(8, 2).eval(), rows(1, 6, 8)
    allowed = causal_mask(torch.zeros(1, 4, dtype=torch.bool), 2)
    whole = block(x, allowed)
    for place in range(6):
        changed = block(x.index_fill(1, torch.tensor(place), 3.0), allowed)
        assert torch.equal(changed[:, :place], whole[:, :place])
        assert (changed[:, place:] != whole[:, place:]).any(dim=2).all()
    hidden = causal_mask(torch.tensor([[False, False, True, True]]), 2)
    unread = block(x.index_fill(1, torch.tensor([2, 3]), 3.0), hidden)
    seen = torch.tensor([0, 1, 4, 5])
    assert torch.equal(unread[:, seen], block(x, hidden)[:, seen])


def test_the_query_sees_every_token_that_is_there_and_no_padding():
    network, (x, step, *caption) = example(UnclipPrior)
    caption = Caption(*caption)
    whole = network(x, step, *caption)
    for place in range(4):
        states = caption.states.clone()
        states[:, place] += 1
        changed = (network(x, step, caption.embedding, states, caption.hidden) != whole).any(dim=1)
        assert changed.tolist() == (~caption.hidden[:, place]).tolist()
    for part, index in ((x, 0), (caption.embedding, 2)):
        args = [x, step, *caption]
        args[index] = part + 0.5
        assert (network(*args) != whole).any(dim=1).all()
    assert (network(x, step + 1, *caption) != whole).any(dim=1).all()


def test_places_that_no_caption_uses_can_be_left_out():
    network, (x, step, *caption) = example(UnclipPrior)
    short = Caption(*caption).trimmed()
    assert short.num_tokens == 3
    torch.testing.assert_close(network(x, step, *short), network(x, step, *caption))
    ar, (codes, dot, *caption) = example(UnclipARPrior)
    torch.testing.assert_close(ar(codes, dot, *Caption(*caption).trimmed()), ar(codes, dot, *caption))


def test_embeddings_come_back_out_of_standardised_ones():
    network, _ = example(UnclipPrior)
    network.mean.copy_(rows(6))
    network.std.copy_(rows(6, seed=1).abs() + 0.1)
    z = F.normalize(rows(5, 6, seed=2), dim=1)
    torch.testing.assert_close(network.embeddings(network.standardised(z)), z)


def test_guidance_and_the_null_caption():
    network, (_, _, *caption) = example(UnclipPrior)
    caption = Caption(*caption)
    null = Caption(*(part[:1] for part in caption))
    abar = cosine_abar()

    def draw(said, empty, guidance):
        return network.draw(said, empty, abar, SeedNoise([0, 1], "test"), 4, 1.0, guidance)

    assert torch.equal(draw(caption, null, 0.0), draw(null.expand(2), null, 1.0))
    assert not torch.equal(draw(caption, null, 2.0), draw(caption, null, 1.0))
    other = Caption(*(part[1:] for part in caption))
    assert torch.equal(draw(caption, null, 1.0), draw(caption, other, 1.0))


def test_the_best_of_two_has_the_larger_dot_product_row_by_row():
    text = F.normalize(rows(9, 4), dim=1)
    first, second = (F.normalize(rows(9, 4, seed=seed), dim=1) for seed in (1, 2))
    best = best_of([first, second], text)
    for row in range(9):
        expected = max((first[row], second[row]), key=lambda z: float(z @ text[row]))
        assert torch.equal(best[row], expected)
    assert torch.equal(best_of([first], text), first)


def test_sizes_that_no_transformer_has_are_refused():
    with pytest.raises(ConfigError, match="multiple of twice num_heads"):
        PriorConfig(width=10, num_heads=4)
    with pytest.raises(ConfigError, match="num_components is from 1 to embed_dim 6"):
        ARPriorConfig(6, 5, 4, 8, 2, 2, num_components=7)


def test_principal_components_are_orthonormal_ordered_and_lose_the_tail():
    scales = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.1])
    z = (rows(4000, 5).double() * scales) @ torch.linalg.qr(rows(5, 5, seed=1).double())[0] + 0.7
    pca = fit_pca(z, 3)
    torch.testing.assert_close(pca.basis @ pca.basis.t(), torch.eye(3, dtype=torch.float64))
    assert (pca.eigenvalues.diff() < 0).all()
    error = (pca.reconstructed(z, 3) - z).square().sum(dim=1).mean()
    torch.testing.assert_close(error, pca.eigenvalues[3:].sum())
    torch.testing.assert_close(pca.reconstructed(z, 1), fit_pca(z, 1).reconstructed(z, 1))


def test_codes_come_back_and_are_within_half_a_bucket():
    network, _ = example(UnclipARPrior, num_components=6, num_buckets=16)
    z = rows(500, 6)
    network.fit(z, rows(500))
    codes = network.encode(z)
    assert codes.min() == 0 and codes.max() == 15
    assert torch.equal(network.encode(network.decode(codes)), codes)
    error = ((network.decode(codes) - z) @ network.basis.t()).abs()
    assert (error <= (network.high - network.low) / 16 / 2 * 1.001).all()


def test_dot_buckets_hold_equal_numbers_and_the_top_half_is_above_the_median():
    network, _ = example(UnclipARPrior, num_dots=8)
    dots = rows(4000).square()
    network.fit(rows(4000, 6, seed=1), dots)
    assert torch.bincount(network.dot_codes(dots)).sub(500).abs().max() <= 1
    drawn = network.top_dots(rows(2000, seed=2))
    assert set(drawn.tolist()) == {4, 5, 6, 7}
    assert network.dot_codes(dots.sort().values[2001:]).min() == 4


def test_a_code_is_the_inverse_of_its_distributions_sum():
    probabilities = torch.tensor([[0.2, 0.0, 0.5, 0.3]])
    for uniform, code in ((0.0, 0), (0.19, 0), (0.2, 2), (0.69, 2), (0.71, 3), (0.999999, 3)):
        assert inverse_cdf(probabilities, torch.tensor([uniform])).tolist() == [code]
    many = inverse_cdf(probabilities.expand(40_000, 4), uniform_of(rows(40_000)))
    shares = torch.bincount(many, minlength=4) / 40_000
    torch.testing.assert_close(shares, probabilities[0], rtol=0, atol=4 * math.sqrt(0.25 / 40_000))


def test_sampling_goes_code_after_code_by_the_networks_own_logits():
    network, (_, _, *caption) = example(UnclipARPrior)
    caption = Caption(*caption)
    noise = SeedNoise([5, 6], "test")((4,))
    dot = network.top_dots(noise[:, -1])
    codes = torch.zeros(2, 3, dtype=torch.int64)
    for place in range(3):
        for row in range(2):
            one = Caption(*(part[row : row + 1] for part in caption))
            logits = network(codes[row : row + 1], dot[row : row + 1], *one)[0, place]
            below = float(torch.special.ndtr(noise[row, place]))
            codes[row, place] = int((logits.softmax(0).cumsum(0) <= below).sum())
    made = network.draw(caption, caption.trimmed(), SeedNoise([5, 6], "test"))
    torch.testing.assert_close(made, F.normalize(network.decode(codes), dim=1))


def test_logits_of_a_place_read_earlier_codes_alone():
    network, (codes, dot, *caption) = example(UnclipARPrior)
    whole = network(codes, dot, *caption)
    for place in range(3):
        changed = codes.clone()
        changed[:, place] = (changed[:, place] + 1) % 4
        logits = network(changed, dot, *caption)
        assert torch.equal(logits[:, : place + 1], whole[:, : place + 1])
        assert place == 2 or (logits[:, place + 1 :] != whole[:, place + 1 :]).any(dim=2).all()
    assert (network(codes, (dot + 1) % 3, *caption) != whole).any(dim=2).all()


def test_targets_spread_over_neighbours():
    codes = torch.tensor([0, 3])
    assert torch.equal(smoothed_targets(codes, 5, 0), F.one_hot(codes, 5).float())
    soft = smoothed_targets(codes, 5, 0.7)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(2))
    assert soft.argmax(dim=1).tolist() == [0, 3] and soft[1, 2] == soft[1, 4] > soft[1, 1]


def test_a_toy_law_over_codes_is_learnt():
    """The second code is the first plus one, the first even where the caption says so: the likelihood finds both."""
    torch.manual_seed(0)
    config = ARPriorConfig(4, 4, 2, 16, 2, 1, num_components=2, num_buckets=4, num_dots=2)
    network = UnclipARPrior(config)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    rng = torch.Generator().manual_seed(1)
    for _ in range(150):
        is_even = torch.randint(2, (64,), generator=rng)
        first = torch.randint(2, (64,), generator=rng) * 2 + (1 - is_even)
        codes = torch.stack([first, (first + 1) % 4], dim=1)
        embedding = F.one_hot(is_even, 4).float()
        states = torch.zeros(64, 1, 4)
        logits = network(codes, torch.zeros(64, dtype=torch.int64), embedding, states, torch.zeros(64, 1).bool())
        loss = F.cross_entropy(logits.flatten(0, 1), codes.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(math.log(2) / 2, abs=0.05)  # one bit over two codes, which is all there is


def test_captions_are_read_with_their_marks_and_the_empty_one_too():
    encoder = CaptionEncoder(tiny_clip())
    said = encoder.encode(["she is smiling", ""])
    assert (~said.hidden).sum(dim=1).tolist() == [5, 2] and said.states.shape == (2, 16, encoder.text_width)
    torch.testing.assert_close(said.embedding, encoder.clip.encode_text(["she is smiling", ""]))
    last = encoder.encode(["she is smiling"]).trimmed().states[:, -1]
    projected = F.normalize(last @ encoder.clip.model.text_projection, dim=1)
    torch.testing.assert_close(projected, said.embedding[:1])  # made of the end mark's state
