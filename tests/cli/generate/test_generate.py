"""`python -m styleT2I.generate`: its files, and every user error as one line with exit status 2 and nothing written."""

import json
import os

import cv2
import pytest
from click.testing import CliRunner

from styleT2I.edit import main as edit
from styleT2I.generate import main
from styleT2I.torch_utils.folders import locked_folder
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def generate(folder, outdir, *arguments):
    return CliRunner().invoke(main, ["--model", str(folder), "--device", "cpu", "--outdir", str(outdir), *arguments])


def test_one_sentence_gives_a_png_per_seed_a_grid_and_a_json(folder, tmp_path):
    result = generate(folder, tmp_path / "a/b", "--text", "he is wearing lipstick", "--seeds", "0-2,100")
    assert result.exit_code == 0, result.output
    names = ["generate.json", "grid.png", "seed0000.png", "seed0001.png", "seed0002.png", "seed0100.png"]
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == names
    assert cv2.imread(str(tmp_path / "a/b/seed0100.png")).shape == (16, 16, 3)
    record = json.loads((tmp_path / "a/b/generate.json").read_text())
    assert record["seeds"] == [0, 1, 2, 100]
    assert record["attributes"] == {"he": True, "lipstick": True}
    assert set(record["model"]["components"]) == {"generator", "clip", "t2d", "a2d", "judges.guide"}
    assert record["command"].startswith("python -m styleT2I.generate")
    out = tmp_path / "a/b"
    look = f"look at {out}/grid.png; --explain shows what each attribute's step did"
    said = f"4 images and grid.png in {out}; next: {look}"
    assert result.stdout == f"{said}\n"


def test_the_record_of_many_seeds_has_an_entry_a_picture(folder, tmp_path):
    arguments = ("--text", "he is wearing lipstick", "--seeds", "0-66", "--adjust-method", "paper", "--strength", "3")
    assert generate(folder, tmp_path, *arguments).exit_code == 0
    record = json.loads((tmp_path / "generate.json").read_text())
    assert [image["seed"] for image in record["images"]] == list(range(67))
    assert (record["adjustment"]["method"], record["adjustment"]["strength"]) == ("paper", 3.0)
    steps = {image["attributes"]["lipstick"]["step"] for image in record["images"]}
    assert steps <= {0.0, 3.0}


def test_how_clear_a_verdict_is_asked_for_is_an_option(folder, tmp_path):
    arguments = ("--text", "he is wearing lipstick", "--seeds", "0-1", "--adjust-method", "recheck", "--clarity", "0.9")
    assert generate(folder, tmp_path, *arguments).exit_code == 0
    assert json.loads((tmp_path / "generate.json").read_text())["adjustment"]["clarity"] == 0.9


def test_large_images_are_drawn_a_few_at_a_time_to_the_same_files(folder, tmp_path, monkeypatch):
    text = ("--text", "he is wearing lipstick", "--seeds", "0-9", "--adjust-method", "paper")
    assert generate(folder, tmp_path / "many", *text).exit_code == 0
    monkeypatch.setattr("styleT2I.generate.LARGE", 8)
    assert generate(folder, tmp_path / "few", *text).exit_code == 0
    for path in (tmp_path / "many").glob("*.png"):
        assert (tmp_path / "few" / path.name).read_bytes() == path.read_bytes()
    records = [json.loads((tmp_path / name / "generate.json").read_text()) for name in ("many", "few")]
    assert records[0]["images"] == records[1]["images"]


def test_no_adjust_is_text_to_direction_alone(folder, tmp_path):
    text = ("--text", "he is wearing lipstick", "--seeds", "0-3")
    assert generate(folder, tmp_path / "off", *text, "--no-adjust").exit_code == 0
    assert generate(folder, tmp_path / "none", *text, "--adjust-method", "none").exit_code == 0
    assert json.loads((tmp_path / "off/generate.json").read_text())["adjustment"] is None
    for seed in range(4):
        name = f"seed{seed:04d}.png"
        assert (tmp_path / "off" / name).read_bytes() == (tmp_path / "none" / name).read_bytes()


def test_an_adjustment_asked_of_a_model_without_a2d_is_a_warning(tmp_path):
    folder = write_tiny_model(tmp_path / "model", without=("a2d",))
    text = ("--text", "he smiles", "--seeds", "0")
    silent, warned = generate(folder, tmp_path / "a", *text), generate(folder, tmp_path / "b", *text, "--adjust")
    assert (silent.exit_code, warned.exit_code) == (0, 0)
    assert "warning" not in silent.stderr
    assert warned.stderr.count("warning: model 'tiny' has no Attribute-to-Direction network") == 1


def test_explain_writes_its_picture_beside_the_others(folder, tmp_path):
    assert generate(folder, tmp_path, "--text", "he smiles", "--seeds", "0-1", "--explain").exit_code == 0
    assert cv2.imread(str(tmp_path / "explain.png")).shape[1] == 2 * 4 * 128


def test_the_png_of_a_seed_is_the_same_whatever_the_other_seeds(folder, tmp_path):
    for outdir, seeds in (("one", "5"), ("many", "0-70")):
        assert generate(folder, tmp_path / outdir, "--text", "she smiles", "--seeds", seeds).exit_code == 0
    assert (tmp_path / "one/seed0005.png").read_bytes() == (tmp_path / "many/seed0005.png").read_bytes()
    assert len(list((tmp_path / "many").glob("seed*.png"))) == 71


def test_old_names_of_options_work_with_a_warning(folder, tmp_path):
    result = generate(folder, tmp_path, "--text", "he smiles", "--seeds", "0-1", "--grid", "1")
    assert result.exit_code == 0 and "warning: --grid is now called --columns" in result.stderr
    assert cv2.imread(str(tmp_path / "grid.png")).shape[0] > 3 * cv2.imread(str(tmp_path / "grid.png")).shape[1]


def test_a_text_file_gives_a_folder_a_sentence(folder, tmp_path):
    (tmp_path / "texts.txt").write_text("he is smiling\n\n  she wears a hat\n")
    result = generate(folder, tmp_path / "out", "--text-file", str(tmp_path / "texts.txt"), "--seeds", "3")
    assert result.exit_code == 0, result.output
    index = json.loads((tmp_path / "out/prompts.json").read_text())
    assert [entry["folder"] for entry in index] == ["prompt0000", "prompt0001"]
    assert json.loads((tmp_path / "out/prompt0001/generate.json").read_text())["text"] == "she wears a hat"


def test_an_unknown_word_is_a_warning_and_with_strict_an_error(folder, tmp_path):
    arguments = ("--text", "he is wearing lipstik", "--seeds", "0")
    result = generate(folder, tmp_path / "out", *arguments)
    assert result.exit_code == 0
    assert 'warning: "lipstik" is read as "lipstick"; the text network does not know it' in result.stderr
    other = generate(folder, tmp_path / "other", "--text", "he has a hatr and smiles", "--seeds", "0")
    assert 'warning: "hatr" is not known and is ignored; did you mean "hair"?' in other.stderr
    result = generate(folder, tmp_path / "strict", *arguments, "--strict")
    assert_one_line_error(result, "lipstik")
    assert not (tmp_path / "strict").exists()


def assert_one_line_error(result, *named):
    assert result.exit_code == 2, result.output
    errors = [line for line in result.stderr.splitlines() if line]
    assert len(errors) == 1 and errors[0].startswith("error: "), result.stderr
    for text in named:
        assert text in errors[0]


@pytest.mark.parametrize(
    "arguments, named",
    [
        ((), "--text"),
        (("--text", "he smiles", "--text-file", "x.txt"), "either"),
        (("--text", ""), "empty"),
        (("--text", "xyzzy plugh"), "understood"),
        (("--text", "he " * 40), "shorten"),
        (("--text-file", "missing.txt"), "missing.txt"),
        (("--text", "he smiles", "--seeds", "0-"), "0-7,100"),
        (("--text", "he smiles", "--seeds", "7-3"), "backwards"),
        (("--text", "he smiles", "--device", "tpu"), "tpu"),
        (("--text", "he smiles", "--device", "cuda:99"), "cuda:99"),
        (("--text", "he smiles", "--trunc", "9"), "trunc"),
        (("--text", "he smiles", "--noise-mode", "loud"), "loud"),
        (("--text", "he smiles", "--model", "no-such-model"), "no-such-model"),
        (("--text", "he smiles", "--t2d", "no-such-file.json"), "no-such-file.json"),
        (("--text", "he smiles", "--a2d", "no-such-file.json"), "no-such-file.json"),
        (("--text", "he smiles", "--adjust-method", "best"), "recheck"),
        (("--text", "he smiles", "--adjust-by", "heldout"), "judge"),
        (("--text", "he smiles", "--adjust-threshold", "3"), "cosine"),
        (("--text", "he smiles", "--strength=-1"), "strength"),
        (("--text", "he smiles", "--clarity=-1"), "clarity"),
        (("--text", "he smiles", "--no-adjust", "--strength", "2"), "--no-adjust"),
        (("--text", "a photo of a person", "--explain"), "nothing to explain"),
    ],
)
def test_a_users_mistake_is_one_line_and_writes_nothing(folder, tmp_path, arguments, named):
    assert_one_line_error(generate(folder, tmp_path / "out", *arguments), named)
    assert not (tmp_path / "out").exists()


def test_a_bad_line_of_a_text_file_stops_before_the_first_picture(folder, tmp_path):
    (tmp_path / "texts.txt").write_text("he is smiling\nxyzzy plugh\n")
    result = generate(folder, tmp_path / "out", "--text-file", str(tmp_path / "texts.txt"))
    assert_one_line_error(result, "texts.txt", "xyzzy")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00h"])
def test_a_text_file_without_sentences_is_refused(folder, tmp_path, content):
    (tmp_path / "texts.txt").write_bytes(content)
    assert_one_line_error(generate(folder, tmp_path / "out", "--text-file", str(tmp_path / "texts.txt")), "texts.txt")


def test_an_outdir_below_a_file_is_refused_and_the_file_stays(folder, tmp_path):
    (tmp_path / "file").write_text("mine")
    result = generate(folder, tmp_path / "file" / "out", "--text", "he smiles")
    assert_one_line_error(result, "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_unwritable_outdir_is_refused(folder, tmp_path):
    tmp_path.chmod(0o500)
    assert_one_line_error(generate(folder, tmp_path / "out", "--text", "he smiles"), "cannot write")
    tmp_path.chmod(0o700)


def test_a_corrupt_checkpoint_is_refused_and_writes_nothing(tmp_path):
    folder = write_tiny_model(tmp_path / "model")
    weights = folder / "t2d.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    assert_one_line_error(generate(folder, tmp_path / "out", "--text", "he smiles"), "t2d.safetensors")
    assert not (tmp_path / "out").exists()


def test_a_failure_on_the_way_leaves_nothing_half_written(folder, tmp_path, monkeypatch):
    import styleT2I.torch_utils.images as images
    from styleT2I.errors import OutputError

    real, calls = images.save_png, []

    def failing(path, image):
        calls.append(path)
        if len(calls) == 3:
            raise OutputError(f"cannot write {path}: No space left on device")
        real(path, image)

    monkeypatch.setattr(images, "save_png", failing)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert_one_line_error(generate(folder, tmp_path / "out", "--text", "he smiles"), "No space left")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_debug_shows_the_traceback(folder, tmp_path):
    result = generate(folder, tmp_path / "out", "--text", "", "--debug")
    assert type(result.exception).__name__ == "PromptError"


def names_in(outdir):
    return sorted(path.name for path in outdir.iterdir())


def test_the_same_command_twice_gives_the_same_files(folder, tmp_path):
    arguments = ("--text", "he is wearing lipstick", "--seeds", "0-2")
    assert generate(folder, tmp_path, *arguments, "--explain").exit_code == 0
    first = {path.name: path.read_bytes() for path in sorted(tmp_path.glob("seed*.png"))}
    assert generate(folder, tmp_path, *arguments).exit_code == 0
    assert names_in(tmp_path) == ["generate.json", "grid.png", *first]
    assert all((tmp_path / name).read_bytes() == data for name, data in first.items())
    assert json.loads((tmp_path / "generate.json").read_text())["files"] == ["grid.png", *first]
    assert generate(folder, tmp_path, *arguments[:3], "5,0-3").exit_code == 0  # those seeds and more
    assert names_in(tmp_path) == ["generate.json", "grid.png", *first, "seed0003.png", "seed0005.png"]


@pytest.mark.parametrize(
    "arguments, other",
    [
        (["--text", "she is smiling", "--seeds", "0-2"], "text"),
        (["--text", "he is wearing lipstick", "--seeds", "3-5"], "seeds"),
        (["--text", "he is wearing lipstick", "--seeds", "0-2", "--trunc", "0.5"], "truncation_psi"),
        (["--text", "he is wearing lipstick", "--seeds", "0-2", "--no-adjust"], "adjustment_asked"),
    ],
)
def test_another_result_does_not_lie_beside_the_first(folder, tmp_path, arguments, other):
    assert generate(folder, tmp_path, "--text", "he is wearing lipstick", "--seeds", "0-2").exit_code == 0
    before = (tmp_path / "generate.json").read_bytes()
    named = f"(generate.json: 'he is wearing lipstick', other {other})"
    assert_one_line_error(generate(folder, tmp_path, *arguments), "holds another result", named)
    assert (tmp_path / "generate.json").read_bytes() == before
    assert generate(folder, tmp_path, *arguments, "--overwrite", "--seeds", "7").exit_code == 0
    assert names_in(tmp_path) == ["generate.json", "grid.png", "seed0007.png"]


def test_a_file_of_the_users_own_is_not_replaced_and_nothing_is_drawn_first(folder, tmp_path, monkeypatch):
    (tmp_path / "seed0001.png").write_text("a photograph")
    with monkeypatch.context() as patch:
        patch.setattr("styleT2I.generation.pipeline.StyleT2I.generate", lambda *_, **__: pytest.fail("too late"))
        result = generate(folder, tmp_path, "--text", "she is smiling", "--seeds", "0-2")
    assert_one_line_error(result, "seed0001.png exists and belongs to no result")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["a photograph"]


def test_an_edit_does_not_lie_beside_generated_pictures(folder, tmp_path):
    arguments = ["--model", str(folder), "--device", "cpu", "--seeds", "0", "--set", "hat=1", "--outdir", str(tmp_path)]
    assert generate(folder, tmp_path, "--text", "she is smiling", "--seeds", "0-1").exit_code == 0
    assert_one_line_error(CliRunner().invoke(edit, arguments), "holds another result (generate.json: 'she is smiling')")
    for _ in range(2):
        assert CliRunner().invoke(edit, [*arguments, "--overwrite"]).exit_code == 0
        assert names_in(tmp_path) == ["edit.json", "grid.png", "seed0000.png", "strip.png"]
    assert CliRunner().invoke(edit, arguments).exit_code == 0  # the same again


def test_other_sentences_do_not_lie_beside_the_first_files(folder, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("she is smiling\nhe has a beard\n")
    for _ in range(2):
        assert generate(folder, tmp_path / "out", "--text-file", str(texts), "--seeds", "0").exit_code == 0
    texts.write_text("she is smiling\n")
    assert_one_line_error(generate(folder, tmp_path / "out", "--text-file", str(texts), "--seeds", "0"), "--overwrite")
    assert names_in(tmp_path / "out") == ["prompt0000", "prompt0001", "prompts.json"]
    arguments = ("--text-file", str(texts), "--seeds", "0", "--overwrite")
    assert generate(folder, tmp_path / "out", *arguments).exit_code == 0
    assert names_in(tmp_path / "out") == ["prompt0000", "prompts.json"]


def test_a_folder_where_another_run_is_writing_is_refused(folder, tmp_path):
    with locked_folder(tmp_path):
        result = generate(folder, tmp_path, "--text", "she is smiling", "--seeds", "0")
    assert_one_line_error(result, "is in use: another run is writing there")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--text", "--outdir", "--model", "--t2d", "--text-file"])
def test_bytes_that_are_no_utf8_are_refused_before_anything_is_drawn(folder, tmp_path, flag, monkeypatch):
    opened = "styleT2I.generation.systems.interface.open_system"
    monkeypatch.setattr(opened, lambda *_, **__: pytest.fail("too late"))
    latin = os.fsdecode(os.fsencode(tmp_path / "smiling ") + b"\xe9")
    given = {"--text": "she is smiling", "--outdir": str(tmp_path / "out"), flag: latin}
    arguments = [part for pair in given.items() for part in pair]
    assert_one_line_error(CliRunner().invoke(main, arguments), "is not UTF-8", "\\xe9")
    assert not list(tmp_path.iterdir())


def test_a_record_holds_no_secret_of_an_address(folder, tmp_path, monkeypatch):
    argv = ["generate", "--t2d", "https://me:pw@host.org/t2d.json?token=SECRET", "--model=hf://o/n", "--text", "a b"]
    monkeypatch.setattr("sys.argv", argv)
    assert generate(folder, tmp_path, "--text", "she is smiling", "--seeds", "0").exit_code == 0
    command = json.loads((tmp_path / "generate.json").read_text())["command"]
    expected = "python -m styleT2I.generate --t2d https://host.org/t2d.json --model=hf://o/n --text 'a b'"
    assert command == expected and "SECRET" not in (tmp_path / "generate.json").read_text()
