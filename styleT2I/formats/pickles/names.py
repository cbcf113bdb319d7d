"""The names that checkpoints use, and what each stands for here: functions of ours that only arrange data.

torch tensors and numpy arrays become TensorRefs, their scalars numbers, known classes dicts or Records.
"""

from __future__ import annotations

import numpy as np
import torch

from styleT2I.errors import CheckpointError, UnsafeFileError
from styleT2I.formats.pickles.blobs import AGAIN, TRUST, Blob
from styleT2I.formats.pickles.limits import check_key
from styleT2I.formats.pickles.records import Inert, Name, Names, Record
from styleT2I.formats.pickles.tensors import MAX_DIMS, Storage, Tally, TensorRef, contiguous_stride

MAX_PARTS, MAX_PART = 256, 4096  # names in a path, characters of one
PERSISTENT = "torch_utils.persistence"  # the Record of an object of NVIDIA's, with its class name and state
TF_NETWORK = "dnnlib.tflib.network.Network"
NAMESPACE = "argparse.Namespace"
TORCHSCRIPT = "__torch__."

STORAGES = {
    "torch.FloatStorage": torch.float32, "torch.DoubleStorage": torch.float64, "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16, "torch.LongStorage": torch.int64, "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16, "torch.CharStorage": torch.int8, "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool, "torch.storage.UntypedStorage": torch.uint8,
}  # fmt: skip
ARRAY_TYPES = {
    "f2": torch.float16, "f4": torch.float32, "f8": torch.float64, "i1": torch.int8, "i2": torch.int16,
    "i4": torch.int32, "i8": torch.int64, "u1": torch.uint8, "b1": torch.bool,
    "u2": torch.uint16, "u4": torch.uint32, "u8": torch.uint64,
}  # fmt: skip
_TORCH_LABELS = ("float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool")
_BUILTIN_LABELS = ("object", "dict", "list", "int", "long", "float", "str", "unicode")
_PATHS = [f"pathlib.{part}{kind}Path" for part in ("", "_local.") for kind in ("Posix", "Windows")]
_NUMPY_LABELS = ("ndarray", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool_")


def checkpoint_names(file_size: int, where: str, load_storage=None) -> Names:
    """The Names of torch files, TorchScript archives and NVIDIA's pickles.

    file_size bounds the memory that tensors may take. load_storage: makes a Storage of the bytes of a nested torch
    file, as a Blob; None refuses such (they are nested already).
    """
    tensors = _TensorCalls(Tally(file_size), where, load_storage, file_size)
    calls = {
        "collections.OrderedDict": _dict,
        "collections.defaultdict": lambda *_factory: {},
        "builtins.set": _set,
        "builtins.frozenset": _set,
        "builtins.bytes": _bytes,
        "builtins.bytearray": _bytes,
        "_codecs.encode": _bytes,
        **dict.fromkeys(_PATHS, _path),
        "torch.Size": tuple,
        "torch.device": _device,
        "torch.serialization._get_layout": _path,
        "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
        "copyreg._reconstructor": _reconstructor,
        **{f"torch.jit._pickle.build_{kind}list": list for kind in ("int", "double", "bool", "tensor")},
        "torch.jit._pickle.restore_type_tag": lambda value, _type: value,
        "numpy.dtype": ArrayType,
        "numpy.core.multiarray.scalar": _scalar,
        **tensors.calls(),
    }
    if load_storage is None:
        del calls["torch.storage._load_from_bytes"]
    labels = {
        *STORAGES,
        "torch.nn.parameter.Parameter",
        "torch.Tensor",
        *(f"builtins.{name}" for name in _BUILTIN_LABELS),
    }
    labels |= {f"torch.{name}" for name in _TORCH_LABELS} | {f"numpy.{name}" for name in _NUMPY_LABELS}
    return Names(calls, _CLASSES, frozenset(labels), TORCHSCRIPT)


class ArrayType(Inert):
    """numpy's dtype: the torch type of the numbers and whether their bytes run the other way."""

    __slots__ = ("code", "dtype", "is_swapped")

    def __init__(self, code, *_flags):
        code = code.lstrip("<|=") if isinstance(code, str) else None
        if code not in ARRAY_TYPES:
            raise UnsafeFileError(f"an array in it holds objects or text in place of numbers; {TRUST}")
        self.code, self.dtype, self.is_swapped = code, ARRAY_TYPES[code], False

    def build(self, state) -> None:
        is_plain = isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "|", "=")
        if not is_plain or any(part is not None for part in state[2:5]):
            raise CheckpointError(f"damaged: an array's type has parts of its own; {AGAIN}")
        self.is_swapped = state[1] == ">"


class ArrayRef(TensorRef):
    """A numpy array: empty when made, given shape, type and bytes by the BUILD that follows."""

    __slots__ = ("calls",)

    def __init__(self, calls):
        super().__init__(Storage(torch.uint8, 0), 0, (0,), (1,))
        self.calls = calls

    def build(self, state) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise CheckpointError(f"damaged: an array without shape, type and numbers; {AGAIN}")
        _version, shape, array_type, is_fortran, data = state
        self.fill(data, array_type, shape, is_fortran)

    def fill(self, data, array_type, shape, is_fortran) -> None:
        """Set the shape, the type and the numbers; CheckpointError when they do not agree."""
        is_shape = isinstance(shape, tuple) and len(shape) <= MAX_DIMS and all(isinstance(n, int) for n in shape)
        if not is_shape or not isinstance(array_type, ArrayType):
            raise CheckpointError(f"damaged: an array without shape or type; {AGAIN}")
        blob = self.calls.blob(data)
        storage = Storage(
            array_type.dtype, blob.size // array_type.dtype.itemsize, blob, is_swapped=array_type.is_swapped
        )
        stride = contiguous_stride(shape[::-1])[::-1] if is_fortran else contiguous_stride(shape)
        super().__init__(storage, 0, shape, stride)
        if self.numel != storage.numel:
            raise CheckpointError(f"damaged: an array of shape {list(shape)} has {storage.numel} numbers; {AGAIN}")
        self.calls.tally.count(self)


class _TensorCalls:
    """The functions that make tensors and arrays, and count the memory that these would take."""

    def __init__(self, tally, where, load_storage, nested_size):
        self.tally, self.where, self.load_storage = tally, where, load_storage
        self.nested_size = nested_size  # bytes that nested files may have in all; each is read once in a real one

    def calls(self):
        parameter = "torch._utils._rebuild_parameter"
        return {
            "torch._utils._rebuild_tensor": self.tensor,
            "torch._utils._rebuild_tensor_v2": self.tensor,
            parameter: _first_tensor,
            f"{parameter}_with_state": _first_tensor,
            "torch._tensor._rebuild_from_type_v2": self.typed_tensor,
            "torch.storage._load_from_bytes": self.nested_storage,
            "numpy.core.multiarray._reconstruct": lambda _cls, _shape, _code: ArrayRef(self),
            "numpy.core.numeric._frombuffer": self.array_from_buffer,
        }

    def tensor(self, storage, offset, shape, stride, *_autograd):
        if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(stride, tuple):
            raise CheckpointError(f"damaged: a tensor without numbers or shape; {AGAIN}")
        return self.tally.count(TensorRef(storage, offset, shape, stride))

    def nested_storage(self, data):
        blob = self.blob(data)
        self.nested_size -= blob.size
        if self.nested_size < 0:
            raise UnsafeFileError(f"the pickle in it unfolds into far more than it holds; {TRUST}")
        return self.load_storage(blob)

    def typed_tensor(self, function, _type, arguments, _state):
        if not isinstance(function, Name) or function.text not in self.calls():
            raise UnsafeFileError(f"a tensor in it is of a class of its own; {TRUST}")
        return self.calls()[function.text](*arguments)

    def array_from_buffer(self, data, array_type, shape, order):
        array = ArrayRef(self)
        array.fill(data, array_type, shape, order == "F")
        return array

    def blob(self, data):
        if isinstance(data, str):  # written by Python 2
            data = data.encode("latin1")
        if not isinstance(data, (bytes, Blob)):
            raise CheckpointError(f"damaged: bytes expected, and something else found; {AGAIN}")
        return data if isinstance(data, Blob) else Blob.of_bytes(data, self.where)


def _first_tensor(data, *_rest):
    if not isinstance(data, TensorRef):
        raise CheckpointError(f"damaged: a parameter that is not a tensor; {AGAIN}")
    return data


def _dict(pairs=()):
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
        raise CheckpointError(f"damaged: a dict of something else than pairs; {AGAIN}")
    return {check_key(key): value for key, value in pairs}


def _path(*parts):
    if len(parts) > MAX_PARTS or not all(isinstance(part, str) and len(part) <= MAX_PART for part in parts):
        raise CheckpointError(f"damaged: a path that is not a text; {AGAIN}")
    return "/".join(parts)


def _device(kind, index=0):
    if kind not in ("cpu", "cuda", "mps", "meta") or not isinstance(index, int):
        raise CheckpointError(f"damaged: a device that does not exist; {AGAIN}")
    return kind if kind in ("cpu", "meta") else f"{kind}:{index}"


def _set(items=()):
    if not isinstance(items, (list, tuple, set)):
        raise CheckpointError(f"damaged: a set of something else than a list; {AGAIN}")
    return {check_key(item) for item in items}


def _bytes(text=b"", encoding="latin1"):
    """Protocols 0 to 2 have no bytes: they hold the Latin-1 text of them."""
    if isinstance(text, Blob):
        return text
    if not isinstance(text, (str, bytes)) or encoding not in ("latin1", "latin-1"):
        raise CheckpointError(f"damaged: bytes that are neither bytes nor Latin-1 text; {AGAIN}")
    return text.encode("latin1") if isinstance(text, str) else text


def _scalar(array_type, data):
    if not isinstance(array_type, ArrayType):
        raise CheckpointError(f"damaged: a number without its type; {AGAIN}")
    data = _bytes(data)
    if not isinstance(data, bytes) or len(data) != array_type.dtype.itemsize:
        raise CheckpointError(f"damaged: a number of {array_type.dtype.itemsize} bytes has others; {AGAIN}")
    return np.frombuffer(data, (">" if array_type.is_swapped else "<") + array_type.code)[0].item()


def _persistent(meta):
    """NVIDIA's objects carry their class as source text: it is dropped unread, and the state kept."""
    if not isinstance(meta, dict) or meta.get("type") != "class" or not isinstance(meta.get("class_name"), str):
        raise CheckpointError(f"damaged: an object of NVIDIA's without class name; {AGAIN}")
    return Record(PERSISTENT, {"class_name": meta["class_name"], "state": meta.get("state")})


def _reconstructor(cls, _base, state=None):
    """How protocols 0 and 1 make an object: class, its built-in base, the content of that base."""
    if not isinstance(cls, Name) or cls.text not in _CLASSES:
        raise UnsafeFileError(f"the pickle in it makes an object of a class that no checkpoint has; {TRUST}")
    made = _CLASSES[cls.text]()
    return dict(state) if isinstance(made, dict) and isinstance(state, dict) else made


_CLASSES = {
    "collections.OrderedDict": dict,
    "dnnlib.util.EasyDict": dict,
    "easydict.EasyDict": dict,
    NAMESPACE: lambda: Record(NAMESPACE),
    TF_NETWORK: lambda: Record(TF_NETWORK),
}
