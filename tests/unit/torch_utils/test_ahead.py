"""Batches made ahead: the same ones in the same order, whatever happens to the workers' parent."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from styleT2I.data.dataset import open_dataset
from styleT2I.data.minifaces.dataset import MiniFaces
from styleT2I.errors import DataError
from styleT2I.torch_utils.ahead import Ahead, default_workers, num_cores, workers
from styleT2I.torch_utils.images import save_png
from tests.conftest import ROOT
from tests.shared.tasks import end_of, train

CPU = torch.device("cpu")


def squares(step):
    if step == 7:
        raise DataError("image 7 is damaged; replace it")
    return torch.full((2, 3), step * step), os.getpid()


def test_batches_come_in_order_from_workers_and_torchs_own_random_state_stays():
    before = torch.random.get_rng_state()
    with workers(2, CPU):
        made = Ahead(squares)
        found = [made(step) for step in (3, 4, 5, 0, 1)]  # 0: not the next one, so that they begin anew
        with pytest.raises(DataError, match="^image 7 is damaged; replace it$"):
            [made(step) for step in range(2, 8)]
    assert [batch[0, 0].item() for batch, _ in found] == [9, 16, 25, 0, 1]
    assert os.getpid() not in {pid for _, pid in found}
    assert torch.equal(before, torch.random.get_rng_state())
    assert Ahead(squares)(3)[1] == os.getpid()  # outside there are none


@pytest.mark.parametrize("name", ["judge", "stylegan2"])
def test_a_training_with_workers_is_bit_for_bit_the_one_without_and_resumes(name, tmp_path):
    train(name, None, tmp_path / "without", 4)
    train(name, None, tmp_path / "with", 2, workers=2)
    train(name, None, tmp_path / "with", 4, workers=1)
    a, b = end_of(tmp_path / "without"), end_of(tmp_path / "with")
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_what_a_worker_paints_its_parent_has(tmp_path):
    data = MiniFaces("biased", "train", 8, 16)
    with workers(1, CPU):
        image = Ahead(lambda step: data.batch([step]).images_u8)(3)
    assert data._painted.tolist() == [False] * 3 + [True] + data._painted.tolist()[4:]
    assert torch.equal(image, data._images[3:4]) and image.float().std() > 10


def test_workers_read_one_zip_without_disturbing_each_other(tmp_path):
    (tmp_path / "faces").mkdir()
    for k, image in enumerate(MiniFaces("biased", "train", 12, 64).batch(range(12)).images_u8):
        save_png(tmp_path / "faces" / f"{k}.png", image)
    shutil.make_archive(str(tmp_path / "faces"), "zip", tmp_path / "faces")
    data = open_dataset(tmp_path / "faces.zip")
    data._cache_bytes = 0
    expected = [data.batch([step % 12]).images_u8 for step in range(24)]
    with workers(3, CPU):
        made = Ahead(lambda step: data.batch([step % 12]).images_u8)
        assert all(torch.equal(made(step), image) for step, image in enumerate(expected))


def test_default_workers_leave_a_cpu_alone_and_a_core_to_each_gpus_process(monkeypatch):
    assert default_workers(CPU) == 0
    for cores, here, expected in ((16, 1, 8), (8, 2, 3), (4, 4, 1)):
        monkeypatch.setattr("styleT2I.torch_utils.ahead.num_cores", lambda cores=cores: cores)
        monkeypatch.setenv("LOCAL_RANK", "0")
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(here))
        assert default_workers(torch.device("cuda")) == expected
    assert num_cores() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_workers_outlive_a_signal_to_the_group_and_die_with_their_parent():
    code = (
        "import os, signal, time, torch\n"
        "from styleT2I.torch_utils.ahead import Ahead, workers\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "with workers(1, torch.device('cpu')):\n"
        "    made = Ahead(lambda step: os.getpid())\n"
        "    made(0)\n"
        "    os.killpg(0, signal.SIGTERM)\n"
        "    time.sleep(0.3)\n"
        "    print(made(1), flush=True)\n"
        "    time.sleep(100)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    worker = int(process.stdout.readline())
    os.kill(worker, 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker lives on")
