"""Models as real exporters write them, with what their own framework computes for them.

    fixtures.py FRAMEWORK [NAME...]     FRAMEWORK is torch, keras, flax or sklearn; all of its fixtures, or those named

Writes below formats/onnx/tests/exported/FRAMEWORK:

    NAME.EXPORTER.onnx   the file, untouched but for notes that say where on the exporting machine the code stood
    NAME.json            inputs and the framework's outputs by their names (null: not of floats), or which node is to be
                         refused

Every framework has an environment of its own; README.md beside this file says how to make it.
"""

import importlib
import json
import pathlib
import sys
import zlib

import numpy as np
import onnx

EXPORTED = pathlib.Path(__file__).resolve().parents[2] / "formats/onnx/tests/exported"
INPUTS = 4
LARGEST = 40_000


def seed(name):
    """Of weights and inputs; the same whichever other fixtures are made."""
    return zlib.crc32(name.encode())


def without_places(model):
    """Takes out the notes that hold paths of the machine: stack traces, which some exporters keep with every node."""
    for node in [*model.graph.node, *(n for f in model.functions for n in f.node)]:
        kept = [p for p in node.metadata_props if "stack_trace" not in p.key]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.ClearField("doc_string")
    model.ClearField("doc_string")
    model.graph.ClearField("doc_string")
    text = model.SerializeToString()
    for place in (b"/tmp/", b"/home/", b"/root/", b"site-packages"):
        assert place not in text, place


def number(value):
    """The shortest decimal that reads back as the same number of its type."""
    return float(str(value))


class Fixtures:
    """The folder of one framework."""

    def __init__(self, framework, names):
        self.folder = EXPORTED / framework
        self.folder.mkdir(parents=True, exist_ok=True)
        if not names:
            for old in self.folder.iterdir():
                old.unlink()
        self.names = names
        self.failed = []

    def wanted(self, name):
        return not self.names or name in self.names

    def inputs(self, name, shape, dtype=np.float32):
        """Multiples of 1/32 in [-2, 2]: short decimals, exact in every float type."""
        draw = np.random.default_rng(seed(name))
        return [(draw.integers(-64, 65, size=shape) / 32).astype(dtype) for _ in range(INPUTS)]

    def add(self, name, made, exports, *, inputs=None, forward=None, refused=None):
        """`exports` maps an exporter's name to what gives the model or the path of one. Either `forward` maps an input to
        the outputs, in the order of the file, or `refused` lists the operators of which the first is to be refused."""
        if not self.wanted(name):
            return
        for old in self.folder.glob(f"{name}.*"):
            old.unlink()
        record, files = {"made": made}, {}
        for exporter, export in exports.items():
            try:
                model = export()
            except Exception as error:
                self.failed.append(f"{name}.{exporter}: {type(error).__name__}: {str(error).strip().splitlines()[0][:300]}")
                continue
            if isinstance(model, onnx.ModelProto):
                without_places(model)
                onnx.save(model, self.folder / f"{name}.{exporter}.onnx")
            else:
                model = onnx.load(model, load_external_data=False)
            files[exporter] = model
            size = sum(f.stat().st_size for f in self.folder.glob(f"{name}.{exporter}.onnx*"))
            assert size <= LARGEST, f"{name}.{exporter}: {size} bytes"
        if not files:
            return
        if refused:
            record["refused"] = {exporter: first(model, refused) for exporter, model in files.items()}
        else:
            record["input"] = list(inputs[0].shape)
            record["inputs"] = inputs
            names = {tuple(o.name for o in model.graph.output) for model in files.values()}
            assert len(names) == 1, f"{name}: the exporters disagree about the outputs: {names}"
            results = [forward(x) for x in inputs]
            floats = [np.issubdtype(np.asarray(r).dtype, np.floating) for r in results[0]]
            keys = names.pop()
            assert len(keys) == len(floats), f"{name}: {len(floats)} results for the outputs {keys}"
            record["outputs"] = {key: [r[k] for r in results] if floats[k] else None for k, key in enumerate(keys)}
        (self.folder / f"{name}.json").write_text(written(record))
        print(name, *files)

    def finish(self):
        total = sum(f.stat().st_size for f in EXPORTED.rglob("*") if f.is_file())
        print(f"all fixtures together: {total} bytes")
        if self.failed:
            print("not exported:", *self.failed, sep="\n  ")


def first(model, operators):
    """The first node of one of these operators, by the name that an error gives it."""
    node = next(n for n in model.graph.node if n.op_type in operators)
    return {"operator": node.op_type, "node": node.name or node.output[0]}


def written(record):
    """JSON with one line for each vector."""
    def lines(vectors):
        rows = (json.dumps([number(v) for v in np.asarray(vector).reshape(-1)]) for vector in vectors)
        return "[\n    " + ",\n    ".join(rows) + "\n  ]"

    parts = []
    for key, value in record.items():
        if key == "inputs":
            text = lines(value)
        elif key == "outputs":
            text = "{" + ", ".join(f"{json.dumps(name)}: {lines(vectors) if vectors else 'null'}" for name, vectors in value.items()) + "}"
        else:
            text = json.dumps(value)
        parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    framework, *chosen = sys.argv[1:]
    fixtures = Fixtures(framework, chosen)
    importlib.import_module(f"fixtures_{framework}").make(fixtures)
    fixtures.finish()
