"""Files that are whole or absent."""

import hashlib
import os
import stat

import pytest
import torch
from safetensors.torch import load_file

from styleT2I.errors import OutputError
from styleT2I.torch_utils.files import (
    atomic_path,
    check_writable_dir,
    save_safetensors_atomic,
    sha256_file,
    write_bytes_atomic,
    write_json_atomic,
)


def test_a_failing_writer_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "file"
    write_bytes_atomic(path, b"old")
    with pytest.raises(ZeroDivisionError):
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half of the n")
            raise ZeroDivisionError
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_until_the_rename_the_temporary_file_stands_in_the_same_folder(tmp_path):
    with atomic_path(tmp_path / "file") as temporary:
        assert temporary.parent == tmp_path and temporary.name.startswith("tmp.styleT2I-")
        temporary.write_bytes(b"x")
    assert os.listdir(tmp_path) == ["file"]


def test_written_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_json_atomic(tmp_path / "ours", {})
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="cannot write .*gone/file: No such file or directory; choose another folder"):
        write_bytes_atomic(tmp_path / "gone/file", b"")


def test_safetensors_come_back_with_views_and_tied_tensors(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"base": base, "row": base[1], "column": base[:, 1], "same": base, "scalar": torch.tensor(3)}
    digest = save_safetensors_atomic(tmp_path / "t.safetensors", tensors)
    loaded = load_file(tmp_path / "t.safetensors")
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    assert digest == hashlib.sha256((tmp_path / "t.safetensors").read_bytes()).hexdigest()
    assert digest == sha256_file(tmp_path / "t.safetensors")


def test_the_same_tensors_give_the_same_bytes(tmp_path):
    tensors = {name: torch.full((3,), float(i)) for i, name in enumerate("abcdef")}
    first = save_safetensors_atomic(tmp_path / "1", tensors)
    assert first == save_safetensors_atomic(tmp_path / "2", dict(reversed(tensors.items())))


def test_check_writable_dir_creates_the_folder_and_leaves_nothing_in_it(tmp_path):
    assert os.listdir(check_writable_dir(tmp_path / "a/b")) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write .*file"):
        check_writable_dir(tmp_path / "file")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_check_writable_dir_refuses_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="Permission denied"):
        check_writable_dir(tmp_path)
