"""Pickles that want to run code, or are small and without limit, for tests/faults.

They are put together opcode by opcode, so that they reach places that Python's own pickler never writes to. A pickle
that gets its way leaves a file, the canary.
"""

import io
import pickle
import struct

import torch

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
FACTS = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value):
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def data(value):
    return b"B" + struct.pack("<I", len(value)) + value


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def call(module, attribute, *arguments):
    """Opcodes that call module.attribute with arguments given as opcodes."""
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


def stream(body, protocol=2):
    return b"\x80" + bytes([protocol]) + body + b"."


def legacy(body, facts=FACTS, keys=(), numbers=b"", version=VERSION):
    """A file of torch's older container around opcodes."""
    parts = [pickle.dumps(part, 2) for part in (MAGIC, version, facts)]
    return b"".join(parts) + stream(body) + pickle.dumps(list(keys), 2) + numbers


def executing_pickles(canary):
    """Pickles by name that plain unpickling would run: each makes the canary, or imports the module that does."""
    command, source = f"touch {canary}", f"open({str(canary)!r}, 'w').close()"
    shell, code = text(command), text(source)
    popen = name("subprocess", "Popen")
    touch = b"((" + text("touch") + text(str(canary)) + b"lt"
    module = name("types", "SimpleNamespace") + b")R"
    os_system = call("os", "system", shell)
    return {
        "os_system": stream(os_system),
        "os_system_protocol_0": f"cos\nsystem\n(S'{command}'\ntR.".encode(),
        "posix_system": stream(call("posix", "system", shell)),
        "builtins_eval": stream(call("builtins", "eval", text(f"__import__('os').system({command!r})"))),
        "builtins_exec": stream(call("builtins", "exec", code)),
        "python_2_exec": stream(call("__builtin__", "exec", code)),
        "stack_global": b"\x80\x04\x8c\x02os\x8c\x06system\x93(" + shell + b"tR.",
        "dotted_name": b"\x80\x04\x8c\x08builtins\x8c\x0dexec.__call__\x93(" + code + b"tR.",
        "memoized_name": stream(name("os", "system") + b"q\x000h\x00(" + shell + b"tR"),
        "inst": b"(" + shell + b"ios\nsystem\n.",
        "obj": b"(" + name("os", "system") + shell + b"o.",
        "subprocess": stream(popen + touch + b"R"),
        "runpy": stream(call("runpy", "_run_code", code, b"}")),
        "timeit": stream(call("timeit", "timeit", code, text("pass"), name("time", "time"), b"K\x01")),
        "pydoc": stream(call("pydoc", "pipepager", text("x"), shell)),
        "getattr": stream(call("builtins", "getattr", name("os", "system"), text("__call__")) + b"(" + shell + b"tR"),
        "setstate": stream(module + b"}" + text("__setstate__") + name("os", "system") + b"sb" + shell + b"b"),
        "partial": stream(call("functools", "partial", name("os", "system"), shell) + b")R"),
        "nested_torch_file": stream(call("torch.storage", "_load_from_bytes", data(legacy(os_system)))),
        "among_the_weights": stream(b"}(" + text("g_ema") + b"}" + text("g_optim") + os_system + b"u"),
        "import_alone": stream(name("canary_module", "anything")),
    }


def refused_pickles():
    """Pickles by name that ask for what a checkpoint has no use for, whether or not it would do harm."""
    array = call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"(K\x00t", b"C\x01b")
    objects = call("numpy", "dtype", text("O8"))
    plain = name("builtins", "object")
    return {
        "extension_1": b"\x80\x02\x82\x01)R.",
        "extension_2": b"\x80\x02\x83\x01\x00)R.",
        "extension_4": b"\x80\x02\x84\x01\x00\x00\x00)R.",
        "persistent_id": b"Pos.system\n.",
        "binary_persistent_id": stream(text("storage") + b"Q"),
        "buffer": b"\x80\x05\x97.",
        "readonly_buffer": b"\x80\x05C\x01x\x98.",
        "unknown_protocol": b"\x80\x09N.",
        "torch_load": stream(call("torch", "load", text("x"))),
        "jit_load": stream(call("torch.jit", "load", text("x"))),
        "numpy_load": stream(call("numpy", "load", text("x"))),
        "our_own_class": stream(name("styleT2I.generation.model", "Model") + b")\x81"),
        "call_of_a_class": stream(name("argparse", "Namespace") + b")R"),
        "call_of_a_value": stream(b"K\x01)R"),
        "build_of_a_value": stream(b"]}b"),
        "object_with_arguments": stream(name("collections", "OrderedDict") + b"(]t\x81"),
        "array_of_objects": stream(array + b"(K\x01(K\x01t" + objects + b"\x89]K\x01atb"),
        "tensor_by_another_call": stream(
            call("torch._tensor", "_rebuild_from_type_v2", name("torch", "Tensor"), name("torch", "Tensor"), b")", b"}")
        ),
        "tensor_of_no_storage": stream(call("torch._utils", "_rebuild_tensor_v2", *[b"K\x01"] * 6)),
        "reconstructor": stream(call("copyreg", "_reconstructor", plain, plain, b"N")),
        "new_object": stream(name("subprocess", "Popen") + b")\x81"),
        "new_object_with_keywords": b"\x80\x04" + name("subprocess", "Popen") + b")}\x92.",
        "bytes_of_a_count": stream(call("builtins", "bytearray", b"J\xff\xff\xff\x7f")),
    }


def bomb_pickles():
    """Pickles by name that are small, and without limit in depth, number or length."""
    doubling = b"]" + b"".join(b"q" + bytes([i]) + b"(h" + bytes([i]) + b"h" + bytes([i]) + b"l" for i in range(100))
    pairs = b"(" + b"".join(number(i) + b"N\x86" for i in range(20_000)) + b"l"
    encode = name("_codecs", "encode")
    array = call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"(K\x00t", b"C\x01b")
    colliding = b"".join(number(i * (2**61 - 1)) + b"N" for i in range(1, 5000))
    collided = [i * (2**61 - 1) for i in range(1, 80_000)]
    return {
        "deep_lists": stream(b"]" * 300_000 + b"a" * 299_999),
        "deep_tuples": stream(b")" + b"\x85" * 300_000),
        "deep_key": stream(b"})" + b"\x85" * 100_000 + b"K\x01s"),
        "contains_itself": stream(b"]q\x00h\x00a"),
        "dict_contains_itself": stream(b"}q\x00K\x01h\x00s"),
        "doubling": stream(doubling),
        "many_sets": b"\x80\x04(" + b"\x8f" * 2_000_000 + b"t.",
        "many_steps": stream(b"(" + b"K\x01" * 4_000_000 + b"t"),
        "many_memos": b"\x80\x04" + b"K\x01\x940" * 1_500_000 + b"N.",
        "long_bytes": stream(b"\x8e" + struct.pack("<Q", 1 << 60)),
        "long_text": stream(b"\x8d" + struct.pack("<Q", 1 << 60)),
        "long_number": stream(b"\x8b" + struct.pack("<i", 1 << 30)),
        "negative_length": stream(b"\x8b" + struct.pack("<i", -5)),
        "many_digits": b"I" + b"9" * 5000 + b"\n.",
        "unknown_memo": stream(b"K\x01r\xff\xff\xff\xffj\xfe\xff\xff\xff"),
        "colliding_keys": stream(b"}(" + colliding + b"u"),
        "colliding_set": stream(call("builtins", "set", b"](" + b"".join(map(number, collided)) + b"e")),
        "colliding_pairs": stream(
            call("collections", "OrderedDict", b"](" + b"".join(number(n) + b"N\x86" for n in collided) + b"e")
        ),
        "colliding_memos": stream(b"N" + b"".join(b"p%d\n" % n for n in collided)),
        "negative_memo": stream(b"Np-1\n"),
        "reused_storage": _reused_storage(),
        "copied_text": stream(
            text("x" * 1_000_000) + b"q\x000" + (encode + b"(h\x00X\x06\x00\x00\x00latin1tR") * 3000 + b"N"
        ),
        "copied_pairs": stream(pairs + b"q\x000" + (name("collections", "OrderedDict") + b"(h\x00tR") * 5000 + b"N"),
        "vast_path": stream(
            text("x" * 1_000_000) + b"q\x000" + name("pathlib", "PosixPath") + b"(" + b"h\x00" * 10_000 + b"tR"
        ),
        "vast_shape": stream(
            array + b"(K\x01(" + b"K\x01" * 300_000 + b"t" + call("numpy", "dtype", text("f4")) + b"\x89C\x04abcdtb"
        ),
        "text_of_a_tree": stream(doubling + b"q\xff0" + name("torch", "device") + b"(h\xfftR"),
        "many_marks": stream(b"(" * 1_000_000),
        "empty_stack": stream(b"0"),
        "no_mark": stream(b"t"),
        "key_of_a_list": stream(b"}]K\x01s"),
        "odd_items": stream(b"}(K\x01u"),
    }


def _reused_storage():
    """One nested torch file, loaded a hundred thousand times."""
    file = io.BytesIO()
    torch.save(torch.zeros(1000).untyped_storage(), file, _use_new_zipfile_serialization=False)
    kept = name("torch.storage", "_load_from_bytes") + b"q\x000" + data(file.getvalue()) + b"q\x010"
    return stream(kept + b"h\x00(h\x01tR0" * 100_000 + b"N")
