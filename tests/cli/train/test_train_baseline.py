"""The command that trains baselines: DAMSM, then AttnGAN from its folder; bad input is one line."""

import json

import pytest
from click.testing import CliRunner

from styleT2I.train_baseline import main

SHORT = ["--kimg", "0.008", "--batch", "4", "--data", "minifaces:biased/train:24", "--eval-data",
         "minifaces:biased/val:8", "--device", "cpu"]  # fmt: skip


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_attngan_is_trained_from_the_folder_of_a_damsm_training(tmp_path):
    for system, options in (("damsm", []), ("attngan", ["--damsm", tmp_path / "damsm"])):
        result = invoke("--system", system, "--outdir", tmp_path / system, *SHORT, *options)
        assert result.exit_code == 0, result.output
    kinds = {
        path.stem: json.loads(path.read_text())["kind"] for path in tmp_path.glob("*/*.json") if "oder" in path.stem
    }
    assert kinds == {"text_encoder": "damsm-text", "image_encoder": "damsm-image"}
    assert (tmp_path / "attngan" / "samples-0000002.png").is_file()
    assert result.stdout.startswith(f"trained: {tmp_path}/attngan; next: python -m styleT2I.generate --model ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--system", "attngan"], "--damsm"),
        (["--system", "attngan", "--damsm", "nowhere"], "nowhere"),
        (["--system", "damsm", "--embeddings", "said.npy"], "embeddings does not go with damsm"),
        (["--system", "damsm", "--preset", "paper", "--data", "faces"], "Inception-v3"),
        (["--system", "dalle"], "'dalle' is not one of"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, words, tmp_path):
    result = invoke(*arguments, "--outdir", tmp_path / "out")
    assert result.exit_code == 2 and words in result.output and "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
