"""Reads .safetensors without a package: name -> (dtype, shape, bytes)."""

import json
import struct


def read(path):
    with open(path, "rb") as f:
        raw = f.read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    meta = header.pop("__metadata__", {})
    data = memoryview(raw)[8 + length :]
    tensors = {
        name: (e["dtype"], tuple(e["shape"]), data[slice(*e["data_offsets"])])
        for name, e in header.items()
    }
    return tensors, meta
