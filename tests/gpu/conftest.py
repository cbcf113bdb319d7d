"""The CUDA kernels on a GPU (-m gpu) or, compiled for the processor, wherever there is a C++ compiler (-m slow)."""

import shutil

import pytest
import torch

from styleT2I.ops import cuda_ops
from styleT2I.ops.kernels import cuda_extension
from styleT2I.torch_utils.extensions import build
from tests.host_cuda import host_kernels

GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
HOST = [pytest.mark.slow, pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")]


@pytest.fixture(scope="module", params=[pytest.param("cuda", marks=GPU), pytest.param("cpu", marks=HOST)])
def device(request, tmp_path_factory):
    """Where the kernels run; on a processor impl 'cuda' is made to take them."""
    if request.param == "cuda":
        build(cuda_extension())
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # errors of 1e-5 are looked for
            yield "cuda"
        return
    kernels = host_kernels(tmp_path_factory.mktemp("host_cuda"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_ops, "cuda_kernels", lambda: kernels)
        for op in ("bias_act", "upfirdn2d"):
            patch.setattr(f"styleT2I.ops.{op}.takes_cuda", lambda x, impl: impl in ("cuda", "auto"))
        yield "cpu"
