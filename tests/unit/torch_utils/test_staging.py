"""Result folders are finished or absent; saved weights can be read by whoever can read the other files."""

import pytest
import torch

from styleT2I.errors import OutputError
from styleT2I.torch_utils.files import save_safetensors_atomic, write_text_atomic
from styleT2I.torch_utils.folders import staged_folder


def test_files_appear_together_and_beside_what_was_there(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "a.txt").write_text("to be replaced")
    with staged_folder(tmp_path) as staging:
        (staging / "a.txt").write_text("a")
        (staging / "b.txt").write_text("b")
        assert (tmp_path / "a.txt").read_text() == "to be replaced"
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"old.txt": "old", "a.txt": "a", "b.txt": "b"}


def test_a_failure_removes_every_trace_of_new_folders(tmp_path):
    with pytest.raises(ZeroDivisionError), staged_folder(tmp_path / "new/deep") as staging:
        (staging / "a.txt").write_text("a")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), staged_folder(tmp_path / "file/out"):
        pass


def test_weights_are_as_readable_as_text(tmp_path):
    save_safetensors_atomic(tmp_path / "w.safetensors", {"w": torch.zeros(2)})
    write_text_atomic(tmp_path / "w.txt", "")
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "w.txt").stat().st_mode
