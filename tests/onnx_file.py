"""A smallest ONNX file, its protocol buffer written by hand so that tests need no package `onnx`."""


def mean_colour_network(size: int, channels: int = 3, batch: int | None = None) -> bytes:
    """A network that averages each channel of pictures [N, channels, size, size]: output [N, channels, 1, 1]."""
    node = _text(1, "pictures") + _text(2, "means") + _text(4, "GlobalAveragePool")
    rows = "N" if batch is None else batch
    graph = _part(1, node) + _text(2, "means of colours")
    graph += _part(11, _value("pictures", (rows, channels, size, size)))
    graph += _part(12, _value("means", (rows, channels, 1, 1)))
    return _number(1, 8) + _part(7, graph) + _part(8, _text(1, "") + _number(2, 13))  # IR version, graph, operator set


def _value(name, shape):
    dims = b"".join(_part(1, _number(1, dim) if isinstance(dim, int) else _text(2, dim)) for dim in shape)
    return _text(1, name) + _part(2, _part(1, _number(1, 1) + _part(2, dims)))  # element type 1 is float32


def _varint(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _part(field, data):
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field, text):
    return _part(field, text.encode())
