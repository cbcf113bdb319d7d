"""`export_onnx` and `export_web`: their files, and every user error as one line with status 2 and nothing written."""

import json

import pytest
from click.testing import CliRunner

from styleT2I.export_onnx import main as export_onnx
from styleT2I.export_web import main as export_web
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """What looks like the npm package from outside; no browser opens it here."""
    folder = tmp_path_factory.mktemp("npm") / "node_modules/onnxruntime-web/dist"
    folder.mkdir(parents=True)
    (folder / "ort.wasm.bundle.min.mjs").write_text("/*!\n * ONNX Runtime Web v1.2.3\n */\nexport default 1;\n")
    (folder / "ort-wasm-simd-threaded.wasm").write_bytes(b"\0asm\1\0\0\0")
    return folder.parents[2]


def onnx(folder, outdir, *arguments):
    return CliRunner().invoke(export_onnx, ["--model", str(folder), "--outdir", str(outdir), *arguments])


def web(folder, runtime, outdir, *arguments):
    shared = ["--model", str(folder), "--runtime", str(runtime), "--outdir", str(outdir)]
    return CliRunner().invoke(export_web, [*shared, *arguments])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_onnx_files_are_written_and_again_over_themselves(folder, tmp_path):
    for _ in range(2):
        result = onnx(folder, tmp_path / "out")
        assert result.exit_code == 0, result.output
        assert "error against PyTorch" in result.output and "docs/onnx.md" in result.output
    graphs = ("a2d", "mapping", "synthesis", "t2d", "text")
    assert names(tmp_path / "out") == sorted([*(f"{name}.onnx" for name in graphs), "onnx.json"])


def test_the_page_is_one_flat_folder_the_same_every_time(folder, runtime, tmp_path):
    for name in ("one", "two"):
        result = web(folder, runtime, tmp_path / name)
        assert result.exit_code == 0, result.output
        assert "index.html" in result.output
    assert names(tmp_path / "one") == sorted(
        ["LICENSE-onnxruntime.txt", "app.js", "index.html", "model.js", "random.js", "runtime.js", "style.css",
         "web.json", "weights.js", "words.js"]
    )  # fmt: skip
    for name in names(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    record = json.loads((tmp_path / "one/web.json").read_text())
    assert record["runtime"] == "1.2.3" and record["graphs"]["synthesis"]["error"] <= 1e-5
    assert str(tmp_path) not in (tmp_path / "one/weights.js").read_text()


@pytest.mark.parametrize("run", [onnx, lambda *arguments: web(arguments[0], *arguments)])
def test_a_folder_of_another_result_or_of_a_stranger_is_left_alone(folder, runtime, tmp_path, run):
    def made(outdir, *arguments):
        return onnx(folder, outdir, *arguments) if run is onnx else web(folder, runtime, outdir, *arguments)

    (tmp_path / "stranger").mkdir()
    stranger = tmp_path / "stranger" / ("mapping.onnx" if run is onnx else "index.html")
    stranger.write_text("mine")
    result = made(tmp_path / "stranger")
    assert result.exit_code == 2 and "--overwrite" in result.output and stranger.read_text() == "mine"
    assert names(tmp_path / "stranger") == [stranger.name]
    assert made(tmp_path / "stranger", "--overwrite").exit_code == 0 and stranger.read_bytes() != b"mine"


def test_errors_are_one_line(folder, runtime, tmp_path):
    damaged = tmp_path / "damaged"
    write_tiny_model(damaged)
    weights = bytearray((damaged / "generator.safetensors").read_bytes())
    weights[-1] ^= 0x55
    (damaged / "generator.safetensors").write_bytes(weights)
    no_generator = write_tiny_model(tmp_path / "headless", without=("generator",))
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir(), broken.mkdir()
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        (broken / name).write_text("not what it is called")
    out = tmp_path / "out"
    cases = [
        (onnx(damaged, out), "generator"),
        (onnx(no_generator, out), "generator"),
        (onnx("dfgan", out), "dfgan"),
        (onnx("/nosuch", out), "/nosuch"),
        (web(damaged, runtime, out), "generator"),
        (web("minifase", runtime, out), "minifaces"),
        (web(folder, empty, out), "npm install onnxruntime-web"),
        (web(folder, tmp_path / "nosuch", out), "npm install onnxruntime-web"),
        (web(folder, broken, out), "damaged"),
    ]
    for result, named in cases:
        assert result.exit_code == 2 and named in result.output, result.output
        assert result.output.count("\n") == 1 and "Traceback" not in result.output
    assert not out.exists()
    (tmp_path / "file").write_text("")
    assert onnx(folder, tmp_path / "file").exit_code == 2
