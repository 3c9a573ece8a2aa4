"""Models as real exporters write them, with what their own framework computes for them.

    fixtures.py FRAMEWORK [NAME...]     FRAMEWORK is torch, keras, flax or sklearn; all of its fixtures, or those named

Writes below formats/onnx/tests/exported/FRAMEWORK:

    NAME.EXPORTER.onnx   the file, untouched but for the notes that exporters attach to nodes
    NAME.json            inputs and the framework's outputs by their names (null: not of floats), or which nodes may be
                         the reason to refuse it (asked for its last output where there are several)

Every framework has an environment of its own; README.md beside this file says how to make it.
"""

import importlib
import json
import pathlib
import sys
import tempfile
import zlib

import numpy as np
import onnx

EXPORTED = pathlib.Path(__file__).resolve().parents[2] / "formats/onnx/tests/exported"
INPUTS = 4
LARGEST = 40_000


def seed(name):
    """Of weights and inputs; the same whichever other fixtures are made."""
    return zlib.crc32(name.encode())


def without_notes(model):
    """Takes out what some exporters note down for people, stack traces of the exporting machine among it. A third of a file."""
    for graph in (model.graph, *model.functions):
        for part in (*graph.node, *graph.value_info):
            del part.metadata_props[:]
            part.ClearField("doc_string")
        graph.ClearField("doc_string")
    for part in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
    del model.graph.metadata_props[:]
    data = model.SerializeToString()
    for place in (str(pathlib.Path.home()), tempfile.gettempdir(), sys.prefix, "site-packages"):
        assert place.encode() not in data, place


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
        """`exports` maps an exporter's name to what gives its model. Either `forward` maps an input to
        the outputs, in the order of the file, or `refused` lists operators of which one is to be refused."""
        if not self.wanted(name):
            return
        for old in self.folder.glob(f"{name}.*"):
            old.unlink()
        record, files = {"made": made}, {}
        for exporter, export in exports.items():
            try:
                model = export()
            except Exception as error:
                reason = str(error).strip().splitlines()[:1]
                self.failed.append(f"{name}.{exporter}: {type(error).__name__}: {reason}")
                continue
            without_notes(model)
            onnx.save(model, self.folder / f"{name}.{exporter}.onnx")
            files[exporter] = model
            size = sum(f.stat().st_size for f in self.folder.glob(f"{name}.{exporter}.onnx*"))
            assert size <= LARGEST, f"{name}.{exporter}: {size} bytes"
        if not files:
            return
        if refused:
            record["refused"] = {exporter: found(model, refused) for exporter, model in files.items()}
            outputs = next(iter(files.values())).graph.output
            record |= {"output": outputs[-1].name} if len(outputs) > 1 else {}
        else:
            record["input"] = list(inputs[0].shape)
            record["inputs"] = inputs
            names = {tuple(o.name for o in model.graph.output) for model in files.values()}
            several = any(len(n) > 1 for n in names)
            assert len(names) == 1 or not several, f"{name}: the exporters disagree about the outputs: {names}"
            results = [forward(x) for x in inputs]
            floats = [np.issubdtype(np.asarray(r).dtype, np.floating) for r in results[0]]
            keys = min(names)
            assert len(keys) == len(floats), f"{name}: {len(floats)} results for the outputs {keys}"
            record["outputs"] = {key: [r[k] for r in results] if floats[k] else None for k, key in enumerate(keys)}
        (self.folder / f"{name}.json").write_text(written(record))
        print(name, *files)

    def finish(self):
        total = sum(f.stat().st_size for f in EXPORTED.rglob("*") if f.is_file())
        print(f"all fixtures together: {total} bytes")
        if self.failed:
            print("not exported:", *self.failed, sep="\n  ")


def found(model, operators):
    """The nodes of these operators by the names that an error gives them, and for "input" the inputs after the first."""
    nodes = [
        {"operator": f"{n.domain}.{n.op_type}".lstrip("."), "node": n.name or n.output[0]}
        for n in model.graph.node if n.op_type in operators
    ]
    inputs = [{"input": i.name} for i in model.graph.input[1:] if "input" in operators]
    assert nodes or inputs, f"none of {operators} in {sorted({n.op_type for n in model.graph.node})}"
    return nodes + inputs


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
