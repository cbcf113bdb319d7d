"""DAMSM and AttnGAN: losses against plain loops, words and masks, files, attention pictures."""

import math
import pickle

import pytest
import torch
from torch.distributions import Normal

from styleT2I.baselines.attention_maps import attention_picture_u8
from styleT2I.baselines.attngan import AttnGANGenerator, WordAttention
from styleT2I.baselines.config import ImageEncoderConfig, TextEncoderConfig
from styleT2I.baselines.damsm import ImageEncoder, ImageFeatures, TextEncoder, TextFeatures
from styleT2I.baselines.layers import sampled
from styleT2I.baselines.matching import damsm_losses, matching_loss, sentence_scores, word_scores
from styleT2I.errors import CheckpointError, ConfigError, UnsafeFileError
from styleT2I.formats.foreign.attngan import inception_trunk, is_damsm_image, read_damsm_image, read_dictionary
from styleT2I.formats.pickles.torch_files import Content
from styleT2I.networks.registry import load_network
from tests.foreign_files import save_damsm_text


def features(num=3, dim=4, num_words=5, num_regions=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    lengths = [5, 2, 3]
    words = torch.randn(num, dim, num_words, generator=rng, dtype=torch.float64)
    mask = torch.tensor([[place >= length for place in range(num_words)] for length in lengths])
    text = TextFeatures(torch.randn(num, dim, generator=rng, dtype=torch.float64), words, mask)
    regions = torch.randn(num, dim, num_regions, generator=rng, dtype=torch.float64)
    return text, ImageFeatures(regions, torch.randn(num, dim, generator=rng, dtype=torch.float64)), lengths


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def softmax(values):
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def score_by_loop(words, regions, gamma1=4.0, gamma2=5.0):
    """Equations 7 to 10 of a sentence (list of word vectors) and an image (list of region vectors), in plain Python."""
    scores = [[sum(a * b for a, b in zip(word, region, strict=True)) for region in regions] for word in words]
    over_words = [softmax([row[j] for row in scores]) for j in range(len(regions))]  # of each region
    total = 0.0
    for i, word in enumerate(words):
        weights = softmax([gamma1 * over_words[j][i] for j in range(len(regions))])
        seen = [sum(w * region[d] for w, region in zip(weights, regions, strict=True)) for d in range(len(word))]
        total += math.exp(gamma2 * cosine(seen, word))
    return math.log(total) / gamma2


def loss_by_loop(scores, allowed=lambda i, j: True, gamma3=10.0):
    """Equations 11 to 13 with a mean: choose image i for sentence i, and the other way round."""
    num, total = len(scores), 0.0
    for i in range(num):
        rows = [gamma3 * scores[i][j] for j in range(num) if j == i or allowed(i, j)]
        columns = [gamma3 * scores[j][i] for j in range(num) if j == i or allowed(j, i)]
        total -= 2 * gamma3 * scores[i][i] - sum(math.log(sum(map(math.exp, v))) for v in (rows, columns))
    return total / num


def test_word_scores_are_those_of_a_loop_over_words_and_regions():
    text, image, lengths = features()
    scores = word_scores(text.words, text.mask, image.regions)
    for i, length in enumerate(lengths):
        words = text.words[i].t()[:length].tolist()
        for j in range(3):
            assert scores[i, j].item() == pytest.approx(score_by_loop(words, image.regions[j].t().tolist()), abs=1e-10)


def test_both_losses_are_those_of_a_loop_over_the_batch():
    text, image, lengths = features()
    words, sentences = damsm_losses(text, image)
    by_words = [
        [score_by_loop(text.words[i].t()[: lengths[i]].tolist(), image.regions[j].t().tolist()) for j in range(3)]
        for i in range(3)
    ]
    by_sentences = [[cosine(text.sentence[i].tolist(), image.image[j].tolist()) for j in range(3)] for i in range(3)]
    assert words.item() == pytest.approx(loss_by_loop(by_words), abs=1e-10)
    assert sentences.item() == pytest.approx(loss_by_loop(by_sentences), abs=1e-10)


def test_pairs_that_are_also_true_count_as_no_wrong_answer():
    text, image, _ = features()
    scores = sentence_scores(text.sentence, image.image)
    also_true = torch.tensor([[True, True, False], [False, True, False], [False, False, True]])
    expected = loss_by_loop(scores.tolist(), allowed=lambda i, j: (i, j) != (0, 1))
    assert matching_loss(scores, also_true).item() == pytest.approx(expected, abs=1e-10)
    assert abs(matching_loss(scores).item() - expected) > 1e-3


def test_padding_changes_neither_losses_nor_gradients():
    text, image, _ = features()
    words = text.words.clone().requires_grad_(True)
    noisy = torch.where(text.mask.unsqueeze(1), torch.full_like(words, 7.0), words)
    losses = [sum(damsm_losses(text._replace(words=w), image)) for w in (words, noisy)]
    assert losses[0].item() == pytest.approx(losses[1].item(), abs=1e-12)
    (gradient,) = torch.autograd.grad(losses[0], words)
    assert torch.isfinite(gradient).all() and gradient[text.mask.unsqueeze(1).expand_as(words)].abs().max() == 0


def test_a_condition_is_the_quantile_of_its_gaussian_that_epsilon_is_of_the_standard_one():
    rng = torch.Generator().manual_seed(1)
    mu, logvar, epsilon = torch.randn(3, 5, 7, generator=rng, dtype=torch.float64)
    quantiles = Normal(mu, (logvar / 2).exp()).cdf(sampled(mu, logvar, epsilon))
    torch.testing.assert_close(quantiles, Normal(0.0, 1.0).cdf(epsilon))


def test_word_attention_is_that_of_a_loop_and_sums_to_one():
    rng = torch.Generator().manual_seed(2)
    layer = WordAttention(3, 4)
    h, words = torch.randn(2, 3, 2, 2, generator=rng), torch.randn(2, 4, 5, generator=rng)
    mask = torch.tensor([[False] * 3 + [True] * 2, [False] * 5])
    context, weights = layer(h, words, mask)
    projection = layer.project.weight[:, :, 0, 0]
    for n, length in enumerate((3, 5)):
        keys = [projection @ words[n, :, t] for t in range(length)]
        for y in range(2):
            for x in range(2):
                shares = softmax([(h[n, :, y, x] @ key).item() for key in keys])
                seen = sum(share * key for share, key in zip(shares, keys, strict=True))
                assert weights[n, :length, y, x].tolist() == pytest.approx(shares, abs=1e-6)
                assert weights[n, length:, y, x].abs().sum() == 0
                assert torch.allclose(context[n, :, y, x], seen, atol=1e-6)


def test_a_sentences_features_do_not_depend_on_its_batch_and_unknown_words_are_passed_over():
    torch.manual_seed(3)
    encoder = TextEncoder(TextEncoderConfig(("a", "red", "bird"), embedding_dim=4, text_dim=6)).eval()
    together = encoder.encode(["A bird.", "a red, RED bird"])
    alone = encoder.encode(["a purple bird"])
    assert torch.allclose(together.sentence[0], alone.sentence[0], atol=1e-6)
    assert torch.allclose(together.words[0, :, :2], alone.words[0], atol=1e-6)
    assert together.mask.tolist() == [[False, False, True, True], [False] * 4]
    assert together.words[0, :, 2:].abs().max() == 0
    assert encoder.unknown_words("a red brid") == [("brid", "bird")]
    assert encoder.known_words("a red brid") == ["a", "red"]
    with pytest.raises(ConfigError, match="'purple' has no word"):
        encoder.encode(["purple"])


def test_a_dictionary_beside_the_text_encoder_gives_it_its_words(tmp_path, monkeypatch):
    monkeypatch.delenv("STYLET2I_CAPTIONS", raising=False)
    encoder = load_network(save_damsm_text(tmp_path, ["<end>", "red", "bird"]))
    assert encoder.config.words == ("red", "bird")
    assert encoder.tokenize(["red bird", "bird"]).tolist() == [[1, 2], [2, 0]]


def test_a_dictionary_of_another_encoder_or_with_code_in_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("STYLET2I_CAPTIONS", raising=False)
    path = save_damsm_text(tmp_path, ["<end>", "red", "bird"])
    pickled = tmp_path / "captions.pickle"
    pickled.write_bytes(pickle.dumps([[], [], {0: "<end>", 1: "red"}, {}]))
    with pytest.raises(CheckpointError, match="has 3 words and .*captions.pickle 2"):
        load_network(path)
    pickled.write_bytes(pickle.dumps({"words": []}))
    with pytest.raises(CheckpointError, match="not a dictionary of AttnGAN's"):
        read_dictionary(pickled)
    pickled.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UnsafeFileError, match="system"):
        read_dictionary(pickled)


def test_inceptions_regions_and_features_are_those_of_torchvision(tmp_path):
    from torchvision.models.inception import Inception3

    torch.manual_seed(5)
    theirs = Inception3(num_classes=3, aux_logits=False, init_weights=False).eval()
    seen = {}
    theirs.Mixed_6e.register_forward_hook(lambda module, args, output: seen.update(local=output))
    theirs.avgpool.register_forward_hook(lambda module, args, output: seen.update(whole=output.flatten(1)))
    encoder = ImageEncoder(ImageEncoderConfig("inception", text_dim=2))
    encoder.trunk.load_state_dict(inception_trunk(theirs.state_dict(), "inception.pth"))
    image = torch.randn(1, 3, 299, 299).tanh()
    with torch.no_grad():
        theirs(image)
        local, whole = encoder.train().trunk(image)
    assert local.shape == (1, 768, 17, 17) and torch.allclose(local, seen["local"], atol=1e-5)
    assert torch.allclose(whole, seen["whole"], atol=1e-5)
    heads = {"emb_features.weight": encoder.regions.weight, "emb_cnn_code.weight": encoder.sentence.weight}
    heads["emb_cnn_code.bias"] = encoder.sentence.bias
    state = {key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")} | heads
    assert is_damsm_image(state)
    reading = read_damsm_image(Content(tmp_path, "zip", state), "G_ema")
    assert reading.config == {"trunk": "inception", "text_dim": 2}
    own = encoder.state_dict()
    assert reading.state_dict.keys() == own.keys() and all(torch.equal(reading.state_dict[k], own[k]) for k in own)


def test_stages_grow_and_each_word_has_a_map():
    torch.manual_seed(6)
    generator, args = AttnGANGenerator.example()
    made = generator.eval()(*args)
    assert [tuple(image.shape) for image in made.images] == [(2, 3, 8, 8), (2, 3, 16, 16), (2, 3, 32, 32)]
    assert [tuple(maps.shape) for maps in made.attention] == [(2, 4, 8, 8), (2, 4, 16, 16)]
    for maps in made.attention:
        assert torch.allclose(maps.sum(dim=1), torch.ones(()), atol=1e-5) and maps[0, 3].abs().max() == 0


def test_an_attention_picture_is_bright_where_a_word_is_read():
    image = torch.full((3, 32, 32), -1.0)
    attention = torch.full((4, 8, 8), 0.01)
    attention[0, :4, :4] = 0.9  # the first word looks at the upper left, the second at the lower right
    attention[1, 4:, 4:] = 0.5
    picture = attention_picture_u8(image, attention, ["red", "bird"], cell=32)
    assert picture.dtype == torch.uint8 and picture.shape == (3, 2 + 32 + 20 + 2, 2 + 3 * (32 + 2))
    first, second = picture[:, 2:34, 36:68].float().mean(dim=0), picture[:, 2:34, 70:102].float().mean(dim=0)
    assert first[:12, :12].mean() > first[20:, 20:].mean() + 50
    assert second[20:, 20:].mean() > second[:12, :12].mean() + 50
    assert picture[:, 2:34, 2:34].max() == 0  # the image itself
    assert picture[:, 34:54, 36:68].min() < 128  # a word is written below
