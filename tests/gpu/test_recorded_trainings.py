"""Every training with recorded parts on a GPU: what its graphs compute is what its steps compute without them."""

import pytest
import torch

from styleT2I.torch_utils.hardware import cuda_graphs
from styleT2I.training.checkpoints import flatten_state
from tests.shared.recorded import PHASES, TRAININGS, recorded_parts, run_steps, write_parts
from tests.shared.tasks import _stylegan2

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
HALF = {"stylegan2-fp16": (lambda folder: _stylegan2(precision="fp16", micro_batch=None), PHASES, 9)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_parts(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("name", [*TRAININGS, *HALF])
def test_replayed_steps_are_those_without_recordings(name, folder, monkeypatch):
    make, names, num = {**TRAININGS, **HALF}[name]
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        metrics, state, task = run_steps(make, folder, "cuda", range(num))
        assert recorded_parts(task) == names
        first = run_steps(make, folder, "cuda", range(num - 5))[1]
        resumed = run_steps(make, folder, "cuda", range(num - 5, num), first)[0]
        with cuda_graphs.switched(False):
            without = run_steps(make, folder, "cuda", range(num))[0]
        monkeypatch.setattr(cuda_graphs, "WARM_UPS", 1 << 30)
        eager, eager_state, _ = run_steps(make, folder, "cuda", range(num))
    for got, wanted in ((metrics, eager), (metrics, without), (resumed, eager[num - 5 :])):
        assert all(ours == pytest.approx(theirs, rel=1e-3, abs=1e-4) for ours, theirs in zip(got, wanted, strict=True))
    tensors, others = flatten_state(state)[1], flatten_state(eager_state)[1]
    far = {key: (t.double() - others[key].double()).abs().max().item() for key, t in tensors.items() if t.numel()}
    assert {key: gap for key, gap in far.items() if gap > 1e-3} == {}
