"""Compiled operators under bad luck: many builders, killed builders, no compiler, bad sources, bad caches."""

import multiprocessing
import os
import signal
import time

import pytest

from styleT2I.errors import ExtensionError, OutputError
from styleT2I.torch_utils import extensions
from styleT2I.torch_utils.extensions import Extension, build, build_or_warn, library_path, load, why_not_loaded

COMPILER = """#!/bin/sh
case " $* " in *" -c "*)
    echo run >> {folder}/runs
    while [ -e {folder}/wait ]; do sleep 0.05; done
esac
exec c++ "$@"
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(folder))
    return folder


@pytest.fixture
def extension(tmp_path, cache):
    """A library that takes a moment to compile, with a compiler that counts its runs and can be held up."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "tiny.cpp").write_text('extern "C" int tiny() { return 7; }\n')
    compiler = tmp_path / "compiler"
    compiler.write_text(COMPILER.format(folder=tmp_path))
    compiler.chmod(0o755)
    return Extension("stylet2i_tiny", sources, environment=(("CXX", str(compiler)),))


def start(function, *arguments):
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    return process


def num_runs(tmp_path):
    return len((tmp_path / "runs").read_text().splitlines()) if (tmp_path / "runs").exists() else 0


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def names(cache):
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_of_ten_processes_one_compiles(tmp_path, cache, extension):
    (tmp_path / "wait").touch()
    processes = [start(build, extension) for _ in range(10)]
    wait_for(lambda: num_runs(tmp_path) > 0)
    (tmp_path / "wait").unlink()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 10
    assert num_runs(tmp_path) == 1
    assert names(cache) == [library_path(extension).name]
    assert load(extension) is not None


def test_a_killed_builder_holds_nobody_up_and_leaves_nothing(tmp_path, cache, extension):
    (tmp_path / "wait").touch()
    process = start(build, extension)
    wait_for(lambda: num_runs(tmp_path) == 1)
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert any(name.startswith("tmp.") for name in names(cache)) and not library_path(extension).exists()
    (tmp_path / "wait").unlink()
    lines = []
    build(extension, lines.append)
    assert len(lines) == 1 and "building stylet2i_tiny" in lines[0]
    assert names(cache) == [library_path(extension).name]
    build(extension, lines.append)
    assert len(lines) == 1


def test_a_source_that_does_not_compile_is_one_line_and_a_log(cache, extension):
    (extension.folder / "tiny.cpp").write_text("int tiny( {\n")
    with pytest.raises(ExtensionError, match="error: ") as error:
        build(extension)
    log = library_path(extension).with_suffix(".log")
    assert "\n" not in str(error.value) and str(log) in str(error.value)
    assert "tiny( {" in log.read_text() and names(cache) == [log.name]
    with pytest.warns(UserWarning, match="going on in PyTorch alone"):
        build_or_warn(extension, lambda text: None)


def test_another_source_or_flag_is_another_library(tmp_path, cache, extension):
    paths = {library_path(extension)}
    paths.add(library_path(Extension("stylet2i_tiny", extension.folder, cflags=("-O1",))))
    extensions.digest.cache_clear()
    (extension.folder / "tiny.h").write_text("// a header is a source, too\n")
    paths.add(library_path(extension))
    assert len(paths) == 3


@pytest.mark.parametrize(
    "environment, reason", [({"CXX": "no-such-compiler"}, "no C.. compiler 'no-such-compiler'"), ({"PATH": ""}, "c..")]
)
def test_without_tools_the_reason_names_them(cache, extension, environment, reason):
    bare = Extension("stylet2i_tiny", extension.folder, environment=tuple(environment.items()))
    assert load(bare) is None
    with pytest.raises(ExtensionError, match=reason):
        build(bare)
    assert not cache.exists()


def test_a_missing_ninja_is_named(tmp_path, extension):
    (tmp_path / "c++").write_text("#!/bin/sh\n")
    (tmp_path / "c++").chmod(0o755)
    bare = Extension("stylet2i_tiny", extension.folder, environment=(("PATH", str(tmp_path)),))
    assert why_not_loaded(bare) == "ninja is missing; run pip install ninja"


def test_a_damaged_library_is_not_loaded_and_the_reason_names_it(cache, extension):
    path = library_path(extension)
    cache.mkdir()
    path.write_bytes(b"\x7fELF damaged")
    assert load(extension) is None and load(extension) is None
    assert str(path) in why_not_loaded(extension) and "remove it" in why_not_loaded(extension)


def test_an_unwritable_cache_is_an_error_of_one_line(cache, extension):
    cache.write_text("a file, no folder")
    with pytest.raises(OutputError, match="cannot write"):
        build(extension)
    with pytest.warns(UserWarning, match="cannot write"):
        build_or_warn(extension, lambda text: None)


def test_importing_the_ops_compiles_nothing(cache, run_python):
    code = "import styleT2I.ops.kernels, styleT2I.networks.stylegan2.generator, styleT2I.ops.synthesis"
    result = run_python("-c", code)
    assert result.returncode == 0, result.stderr
    assert not cache.exists()
