"""Suite "style": recovered against true z, and the command that transfers a style."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from styleT2I.attributes.prompt import Prompt
from styleT2I.baselines.config import GanIntClsConfig, StyleEncoderConfig
from styleT2I.baselines.gan_int_cls import GanIntClsGenerator, StyleEncoder
from styleT2I.errors import CheckpointError, DataError
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.style import StyleReader, correlations, evaluate_style
from styleT2I.formats.model_folder import write_model_manifest
from styleT2I.generation.model import Model
from styleT2I.torch_utils.images import load_image, save_png
from styleT2I.torch_utils.seeding import latents_of_seeds
from styleT2I.transfer_style import main
from tests.tiny_model import tiny_clip, tiny_judge, write_tiny

DIM, SIZE = 12, 16
DATA = "minifaces:biased/test:120"


class Shows(torch.nn.Module):
    """A generator whose first pixels are z itself, a quarter as large."""

    noise_dim = DIM

    def forward(self, noise, text):
        image = torch.zeros(len(noise), 3, SIZE, SIZE)
        image[:, 0].flatten(1)[:, :DIM] = noise / 4
        return image.clamp(-1, 1)


class Reads(torch.nn.Module):
    """An encoder that reads them back, or looks elsewhere."""

    def __init__(self, channel):
        super().__init__()
        self.config, self.channel = SimpleNamespace(resolution=SIZE, z_dim=DIM), channel

    def forward(self, image):
        return 4 * image[:, self.channel].flatten(1)[:, :DIM]


class System:
    name, resolution, network = "shows", SIZE, Shows()

    def __init__(self, encoder):
        self.model = SimpleNamespace(network=lambda role: encoder, device=torch.device("cpu"))

    def understand(self, text, *, strict=False):
        return Prompt(text, {}, ())

    def features(self, texts):
        return (torch.zeros(len(texts), 1),)

    def sample(self, prompts, seeds):
        return self.network(latents_of_seeds(seeds, DIM), None)

    def describe(self):
        return {"name": self.name, "components": {}}


@pytest.fixture(scope="module")
def observers():
    judge = tiny_judge(seed=5, nuisances=("roll",))
    return Model({"judges.heldout": judge}, vocabulary="minifaces", device="cpu")


@pytest.mark.parametrize("channel, low, high", [(0, 0.99, 1.0), (1, -0.05, 0.05)])
def test_an_encoder_that_reads_z_correlates_fully_and_one_that_looks_elsewhere_not_at_all(
    observers, channel, low, high
):
    figures = evaluate_style(Request(observers, DATA, 120, options={"reader": StyleReader(System(Reads(channel)))}))
    assert low <= figures["correlation"] <= high
    assert figures["correlation_interval"][0] <= figures["correlation"] <= figures["correlation_interval"][1]
    assert abs(figures["shuffled"]) < 0.1
    assert (figures["found"] == 1) == (channel == 0)
    assert (figures["explained"] > 0.99) == (channel == 0)
    transfer = figures["transfer"]
    assert transfer["success_interval"][0] <= transfer["success"] <= transfer["success_interval"][1]


def test_correlations_are_numpys_and_zero_where_nothing_varies():
    first, second = torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(0))
    expected = [np.corrcoef(first[:, k], second[:, k])[0, 1] for k in range(3)]
    assert correlations(first, second).tolist() == pytest.approx(expected, abs=1e-6)
    assert correlations(first, torch.ones(30, 3)).tolist() == [0, 0, 0]


def test_too_few_pictures_are_refused(observers):
    with pytest.raises(DataError, match="needs 100 captions"):
        evaluate_style(Request(observers, DATA, 50, options={"reader": StyleReader(System(Reads(0)))}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gan")
    torch.manual_seed(0)
    parts = {
        "gan_int_cls": GanIntClsGenerator(GanIntClsConfig(8, DIM, 4, (8, 4), 1)),
        "style_encoder": StyleEncoder(StyleEncoderConfig(DIM, (3, 4))),
        "clip": tiny_clip(),
    }
    files = {role: write_tiny(folder, role, network).name for role, network in parts.items()}
    return write_model_manifest(folder, "tiny", files, "minifaces").parent


def transfer(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])


def test_the_command_draws_a_row_a_picture_and_a_column_a_sentence(folder, tmp_path):
    picture = tmp_path / "wide.png"
    save_png(picture, torch.randint(256, (3, 40, 60), dtype=torch.uint8))
    texts = ["--text", "she is old", "--text", "he is smiling", "--text", "she has a hat"]
    result = transfer("--model", folder, "--image", picture, "--image", picture, *texts, "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"grid.png", "transfer.json"} | {f"image{r}_text{c}.png" for r in range(2) for c in range(3)}
    assert load_image(tmp_path / "out/grid.png").shape == (3, 48 + 2 * 130 + 2, 4 * 132)
    first, again = (load_image(tmp_path / f"out/image{row}_text0.png") for row in range(2))
    assert torch.equal(first, again) and first.shape == (3, SIZE, SIZE)
    out = tmp_path / "out"
    assert result.stdout == f"6 images and grid.png in {out}; next: look at {out}/grid.png\n"


def test_without_pictures_the_models_own_give_the_style(folder, tmp_path):
    result = transfer("--model", folder, "--text", "she is old", "--seeds", "0-2", "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert load_image(tmp_path / "out/grid.png").shape == (3, 48 + 3 * 130 + 2, 2 * 132)


def test_what_cannot_be_transferred_is_one_line_and_writes_nothing(folder, tmp_path):
    plain = tmp_path / "plain"
    network = GanIntClsGenerator(GanIntClsConfig(8, DIM, 4, (8, 4), 1))
    files = {"gan_int_cls": write_tiny(plain, "g", network).name, "clip": write_tiny(plain, "clip", tiny_clip()).name}
    write_model_manifest(plain, "plain", files, "minifaces")
    (tmp_path / "no.png").write_text("no picture")
    for arguments, named in (
        (["--model", plain, "--text", "she is old"], "style encoder"),
        (["--model", folder, "--text", "she is old", "--image", tmp_path / "no.png"], "no.png"),
        (["--model", folder, "--text", "she is old", "--image", tmp_path / "missing.png"], "missing.png"),
        (["--model", folder, "--text", " "], "empty"),
        (["--model", folder], "--text"),
    ):
        result = transfer(*arguments, "--outdir", tmp_path / "out")
        assert result.exit_code == 2 and named in result.output, result.output
        assert result.output.count("error:") == 1 and "Traceback" not in result.output
        assert not (tmp_path / "out").exists()


def test_an_encoder_of_another_size_is_refused():
    encoder = Reads(0)
    encoder.config.resolution = 2 * SIZE
    with pytest.raises(CheckpointError, match="32 pixels"):
        StyleReader(System(encoder))
