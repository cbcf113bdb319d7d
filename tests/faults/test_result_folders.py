"""Results that are killed on the way, written twice, or written where another result lies."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from styleT2I.data.writer import write_folder_dataset
from styleT2I.errors import OutputError
from styleT2I.torch_utils.folders import LOCK, indexed_folders, is_in_use, locked_folder, result_folder, staged_folder

RECORD = "generate.json"
HOLD = "import sys, time; from styleT2I.torch_utils.folders import locked_folder\n" \
       "with locked_folder(sys.argv[1]): print('held', flush=True); time.sleep(60)"  # fmt: skip


def write_result(outdir, text, names, *, record=RECORD, overwrite=False):
    """A result whose every picture says the sentence that it is of."""
    with result_folder(outdir, record, {"text": text}, overwrite=overwrite) as staging:
        for name in names:
            (staging / name).write_text(text)
        staging.write_record({"text": text})


def contents(folder):
    """The files that are not hidden and no temporary ones."""
    paths = [path for path in Path(folder).iterdir() if path.is_file()]
    return {path.name: path.read_text() for path in paths if not path.name.startswith((".", "tmp."))}


def is_sound(folder):
    """A record, if there is one, describes the pictures beside it and no picture is of another sentence."""
    found = contents(folder)
    if RECORD not in found:
        return True
    record = json.loads(found.pop(RECORD))
    return set(found) <= set(record["files"]) and set(found.values()) <= {record["text"]}


def dies_after(num, function):
    """Run function in a child that ends, as by SIGKILL, at its num-th change of a folder; whether it got to its end."""
    child = os.fork()
    if child == 0:
        left = [num]

        def counted(change):
            def call(*args, **kwargs):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return change(*args, **kwargs)

            return call

        os.replace, os.unlink = counted(os.replace), counted(os.unlink)
        Path.unlink = counted(Path.unlink)
        function()
        os._exit(0)
    return os.WIFEXITED(os.waitpid(child, 0)[1])


def test_a_result_over_an_older_one_survives_a_kill_at_every_moment(tmp_path):
    older, newer = [f"seed{k}" for k in range(5)], [f"seed{k}" for k in range(2, 4)]
    for num in range(100):
        outdir = tmp_path / str(num)
        write_result(outdir, "a hat", older)
        ended = dies_after(num, lambda outdir=outdir: write_result(outdir, "a beard", newer, overwrite=True))
        assert is_sound(outdir), f"after {num} changes"
        write_result(outdir, "a beard", newer, overwrite=True)
        found = contents(outdir)
        assert json.loads(found.pop(RECORD)) == {"text": "a beard", "files": newer}
        assert found == dict.fromkeys(newer, "a beard") and len(list(outdir.iterdir())) == 3
        if ended:
            break
    assert 10 < num < 99


def test_what_a_killed_run_drew_for_another_sentence_is_never_published(tmp_path):
    def killed():
        with staged_folder(tmp_path, RECORD) as staging:
            for number in range(70):
                (staging / f"seed{number}").write_text("he is wearing a hat")
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        killed()
    os.waitpid(child, 0)
    (tmp_path / f"tmp.{os.getpid()}").mkdir()  # a folder of the name that an earlier version would take
    assert len(list(tmp_path.iterdir())) > 1
    write_result(tmp_path, "she is smiling", ["seed0"])
    assert json.loads(contents(tmp_path)[RECORD])["files"] == ["seed0"] and is_sound(tmp_path)
    assert not list(tmp_path.glob("tmp.styleT2I*"))


def test_the_same_request_again_takes_the_results_place(tmp_path):
    write_result(tmp_path, "a hat", ["seed0", "seed1", "explain"])
    write_result(tmp_path, "a hat", ["seed0", "seed1"])
    assert set(contents(tmp_path)) == {"seed0", "seed1", RECORD}


def test_another_result_is_left_alone_unless_told_otherwise(tmp_path):
    write_result(tmp_path, "a hat", ["seed0", "seed1"])
    (tmp_path / "mine").write_text("a note")
    before = contents(tmp_path)
    for record, text in ((RECORD, "a beard"), ("edit.json", "a hat")):
        other = ", other text" if record == RECORD else ""
        line = rf"holds another result \(generate.json: 'a hat'{other}\); .* --overwrite"
        with pytest.raises(OutputError, match=line):
            write_result(tmp_path, text, ["seed0"], record=record)
        assert contents(tmp_path) == before
    write_result(tmp_path, "a beard", ["seed7"], record="edit.json", overwrite=True)
    assert set(contents(tmp_path)) == {"seed7", "edit.json", "mine"}


def test_a_file_that_no_result_names_is_not_replaced(tmp_path):
    (tmp_path / "seed0").write_text("a photograph")
    with pytest.raises(OutputError, match="seed0 exists and belongs to no result"):
        write_result(tmp_path, "a hat", ["seed0"])
    assert contents(tmp_path) == {"seed0": "a photograph"}
    write_result(tmp_path, "a hat", ["seed0"], overwrite=True)
    assert is_sound(tmp_path)


@pytest.mark.parametrize("files", [["../keep", "/etc/hostname", "..", "", 7, None], "seed0", {"a": 1}, None])
def test_a_record_cannot_have_files_of_others_removed(tmp_path, files):
    (tmp_path / "keep").write_text("kept")
    outdir = tmp_path / "out"
    outdir.mkdir()
    (outdir / RECORD).write_text(json.dumps({"text": "a hat", "files": files}))
    write_result(outdir, "a beard", ["seed1"], overwrite=True)
    assert (tmp_path / "keep").read_text() == "kept" and is_sound(outdir)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_damaged_record_is_another_result(tmp_path, content):
    (tmp_path / RECORD).write_bytes(content)
    with pytest.raises(OutputError, match="holds another result"):
        write_result(tmp_path, "a hat", ["seed0"])


def test_folders_under_an_index_are_checked_before_the_first_is_written(tmp_path):
    def write(texts, overwrite=False):
        requests = {f"prompt{number}": {"text": text} for number, text in enumerate(texts)}
        with indexed_folders(tmp_path, RECORD, requests, overwrite=overwrite):
            for name, request in requests.items():
                write_result(tmp_path / name, request["text"], ["seed0"], overwrite=overwrite)

    write(["a hat", "a beard", "a smile"])
    write(["a hat", "a beard", "a smile"])
    with pytest.raises(OutputError, match="prompts.json is of other sentences"):
        write(["a hat", "bangs"])
    assert contents(tmp_path / "prompt1")["seed0"] == "a beard"
    (tmp_path / "prompts.json").unlink()  # as in a run that was killed
    with pytest.raises(OutputError, match="prompt1 holds another result"):
        write(["a hat", "bangs"])
    write(["a hat", "a beard", "a smile"])
    write(["a hat", "bangs"], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prompt0", "prompt1", "prompts.json"]
    assert contents(tmp_path / "prompt1")["seed0"] == "bangs"


def test_a_folder_in_use_is_refused_in_one_line_and_free_after_a_kill(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n" and is_in_use(tmp_path)
        with pytest.raises(OutputError, match="is in use: another run is writing there; wait until it ends"):
            write_result(tmp_path, "a hat", ["seed0"])
        with locked_folder(tmp_path, "another part"):
            pass
    finally:
        holder.kill()
        holder.wait()
    assert (tmp_path / LOCK).exists() and not is_in_use(tmp_path)
    write_result(tmp_path, "a hat", ["seed0"])
    assert set(contents(tmp_path)) == {"seed0", RECORD}


def test_a_folder_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked_folder(tmp_path):
        with pytest.raises(OutputError, match="is in use"), locked_folder(tmp_path):
            pass
        raise ZeroDivisionError
    with locked_folder(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch):
    def refuse(self, **_):
        raise NotImplementedError("no locks here")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.warns(UserWarning, match="cannot be locked .no locks here"), locked_folder(tmp_path) as folder:
        assert folder == tmp_path
    assert is_in_use(tmp_path)  # so nothing of it is taken for a leftover


def samples(shade, num=3):
    for number in range(num):
        yield f"{number}", torch.full((3, 4, 4), shade, dtype=torch.uint8), [f"shade {shade}"], (), None, ()


def test_a_data_set_over_an_older_one_survives_a_kill_at_every_moment(tmp_path):
    for num in range(20):
        outdir = tmp_path / str(num) / "set"
        write_folder_dataset(outdir, samples(10))
        ended = dies_after(num, lambda outdir=outdir: write_folder_dataset(outdir, samples(20)))
        list_before = sorted(outdir.parent.iterdir())
        with pytest.raises(OutputError):
            write_folder_dataset(outdir, broken_samples())
        assert json.loads((outdir / "captions.json").read_text())["0"] in (["shade 10"], ["shade 20"]), list_before
        assert sorted(outdir.parent.iterdir()) == [outdir]
        if ended:
            break
    assert 0 < num < 19


def broken_samples():
    yield from samples(30, num=1)
    raise OSError(28, "No space left on device")


def test_a_data_set_that_another_run_is_writing_is_no_leftover(tmp_path):
    seen = []

    def slow():
        for sample in samples(10):
            write_folder_dataset(tmp_path / "set", samples(20))  # as another process would
            seen.append(sorted(path.name.partition("-data-")[0] for path in tmp_path.iterdir()))
            yield sample

    write_folder_dataset(tmp_path / "set", slow())
    assert seen == [["set", "tmp.styleT2I"]] * 3 and [path.name for path in tmp_path.iterdir()] == ["set"]
    assert json.loads((tmp_path / "set/captions.json").read_text())["0"] == ["shade 10"]
