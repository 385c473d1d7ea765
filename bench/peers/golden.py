"""Reference numbers: reading .safetensors without a package, and comparing with a tolerance."""

import json
import struct

CAST = {"F32": "f", "F64": "d"}


class Golden:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            raw = f.read()
        (length,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8 : 8 + length])
        self.meta = header.pop("__metadata__", {})
        self.config = json.loads(self.meta.get("args", "{}"))
        self.ignored = json.loads(self.meta.get("ignore_substrings", "[]"))
        data = memoryview(raw)[8 + length :]
        #: name -> (dtype, shape, bytes)
        self.tensors = {
            name: (e["dtype"], tuple(e["shape"]), data[slice(*e["data_offsets"])])
            for name, e in header.items()
        }

    def torch(self, name):
        import torch

        dtype, shape, raw = self.tensors[name]
        kinds = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "I32": torch.int32}
        return torch.frombuffer(bytearray(raw), dtype=kinds[dtype]).reshape(shape)

    def numpy(self, name):
        import numpy as np

        dtype, shape, raw = self.tensors[name]
        kinds = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "I32": np.int32}
        return np.frombuffer(raw, dtype=kinds[dtype]).reshape(shape)

    def reference(self, kind, name):
        """The numbers of the float64 run if stored, else of the float32 one, as a flat list."""
        for key in (f"{kind}64:{name}", f"{kind}:{name}"):
            if key in self.tensors:
                dtype, _, raw = self.tensors[key]
                return list(raw.cast(CAST[dtype]))
        raise SystemExit(f"{self.path}: no {kind}:{name}")

    def names(self, prefix):
        return {n[len(prefix) :] for n in self.tensors if n.startswith(prefix)}

    def ignores(self, name):
        """Whether the gradient is zero but for rounding."""
        return any(part in name for part in self.ignored)


class Comparison:
    """Collects errors relative to the largest reference value, by kind, against a tolerance each."""

    def __init__(self, title, tolerances):
        self.title, self.tolerances = title, tolerances
        self.errors = {kind: {} for kind in tolerances}
        self.bad = []

    def add(self, kind, name, got, want):
        if len(got) != len(want):
            self.bad.append(f"{kind} {name}: {len(got)} values, {len(want)} expected")
            return
        scale = max(abs(w) for w in want) or 1.0
        self.set(kind, name, max(abs(g - w) for g, w in zip(got, want)) / scale)

    def set(self, kind, name, error):
        self.errors[kind][name] = error
        if not error <= self.tolerances[kind]:
            self.bad.append(f"{kind} {name}: {error:.1e}, tolerance {self.tolerances[kind]:.0e}")

    def gradients(self, golden, prefix, got):
        """Compares `got` (name -> flat list) with everything stored under grad:`prefix`."""
        for name in sorted(golden.names(f"grad:{prefix}")):
            if name not in got:
                self.bad.append(f"gradient {name}: missing")
            elif not golden.ignores(prefix + name):
                want = golden.reference("grad", prefix + name)
                self.add("gradient", prefix + name, got[name], want)

    def finish(self):
        """Prints the worst of each kind; exits with 1 if anything is out of tolerance."""
        for kind, errors in self.errors.items():
            if errors:
                name = max(errors, key=errors.get)
                count = len(errors)
                print(
                    f"{self.title} {kind:9} {count:3} compared, worst {errors[name]:.1e} ({name})"
                )
        if self.bad:
            raise SystemExit("\n".join(self.bad))
