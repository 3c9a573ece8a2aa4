"""PyTorch, by its legacy exporter (TorchScript) and by the one of torch.export (`dynamo=True`)."""

import io
import logging
import pathlib
import tempfile
import warnings

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import nn

from fixtures import seed

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


class Net(nn.Module):
    """Layers and buffers by name, and a function of them and the input."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, torch.Tensor):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


class Masked(nn.Module):
    """With a second input that nothing reads, like an optional mask."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, mask):
        return self.net(x)


def settle(model):
    """Batch norms as if they had been trained."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
    return model.eval()


def legacy(model, example, opset, **options):
    names = {"input_names": ["input"], **options}
    buffer = io.BytesIO()
    torch.onnx.export(model, example, buffer, dynamo=False, opset_version=opset, **names)
    return onnx.load_from_string(buffer.getvalue())


def dynamo(model, example, opset=None, **options):
    names = {"input_names": ["input"], **options}
    program = torch.onnx.export(model, example, dynamo=True, opset_version=opset, verbose=False, **names)
    return program.model_proto


class Torch:
    def __init__(self, fixtures):
        self.fixtures = fixtures

    def add(self, name, build, shape, opsets=(17,), dynamos=(None,), outputs=("output",), dtype=torch.float32,
            dynamic=False, refused=None, **options):
        """`build` makes the model, after the seed is set; `opsets` are those of the legacy exporter; None is the opset that
        the other exporter chooses."""
        if not self.fixtures.wanted(name):
            return
        torch.manual_seed(seed(name) % 2**31)
        model = settle(build()).to(dtype)
        values = self.fixtures.inputs(name, shape, np.float64 if dtype == torch.float64 else np.float32)
        # An open batch must not be one in the example.
        example = torch.from_numpy(np.concatenate(values[:2]) if dynamic else values[0])
        options["output_names"] = list(outputs)
        old, new = dict(options), dict(options)
        if dynamic:
            old["dynamic_axes"] = {"input": {0: "batch"}, **{o: {0: "batch"} for o in outputs}}
            new["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
        exports = {f"legacy{k}": lambda k=k: legacy(model, (example,), k, **old) for k in opsets}
        exports |= {f"dynamo{k or ''}": lambda k=k: dynamo(model, (example,), k, **new) for k in dynamos}

        def forward(x):
            with torch.no_grad():
                results = model(torch.from_numpy(x))
            return [r.numpy() for r in (results if isinstance(results, tuple) else (results,))]

        self.fixtures.add(name, f"torch {torch.__version__.split('+')[0]}", exports, inputs=values, forward=forward, refused=refused)


def mlp(*sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def conv_head(conv, features, outputs=3):
    return nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(features, outputs))


def after(function, inputs, outputs=3):
    """conv, relu, the function, flatten, linear: what is tried stands in the middle of a network."""
    return Net(lambda m, x: m.head(torch.flatten(function(F.relu(m.conv(x))), 1)),
               conv=nn.Conv2d(2, 3, 3, padding=1), head=nn.Linear(inputs, outputs))


def vector(function, width=8, outputs=3):
    """linear, the function, linear."""
    return Net(lambda m, x: m.head(function(m.body(x))), body=nn.Linear(6, 8), head=nn.Linear(width, outputs))


def linear(t):
    t.add("linear", lambda: mlp(6, 8, 3), [1, 6], opsets=(11, 13, 17, 20), dynamos=(None, 18, 23))
    t.add("linear_without_bias", lambda: nn.Sequential(nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)), [1, 6])
    t.add("linear_without_batch", lambda: mlp(6, 8, 3), [6])
    t.add("linear_over_rows", lambda: Net(lambda m, x: m.b(F.relu(m.a(x)).flatten(1)), a=nn.Linear(4, 5), b=nn.Linear(15, 3)), [1, 3, 4])
    t.add("linear_f64", lambda: mlp(6, 8, 3), [1, 6], dtype=torch.float64)
    t.add("batchnorm1d", lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)), [1, 6], opsets=(13, 17))
    t.add("open_batch", lambda: mlp(6, 8, 3), [1, 6], dynamic=True)
    t.add("initializers_as_inputs", lambda: mlp(6, 8, 3), [1, 6], keep_initializers_as_inputs=True)
    t.add("no_constant_folding", lambda: mlp(6, 8, 3), [1, 6], dynamos=(), do_constant_folding=False)
    t.add("log_softmax", lambda: nn.Sequential(mlp(6, 8, 3), nn.LogSoftmax(dim=1)), [1, 6], opsets=(11, 13, 17))
    t.add("softmax", lambda: nn.Sequential(mlp(6, 8, 3), nn.Softmax(dim=-1)), [1, 6], opsets=(11, 13, 17))


def convolutions(t):
    conv, image = nn.Conv2d, [1, 2, 6, 6]
    t.add("conv2d", lambda: conv_head(conv(2, 3, 3), 48), image, opsets=(11, 13, 17), dynamos=(None, 18, 23))
    t.add("conv2d_stride", lambda: conv_head(conv(2, 3, 3, stride=2, padding=1), 27), image)
    t.add("conv2d_dilation", lambda: conv_head(conv(2, 3, 3, dilation=2, padding=(2, 1)), 72), image)
    t.add("conv2d_groups", lambda: conv_head(conv(2, 4, (3, 2), groups=2, bias=False), 80), image)
    t.add("conv2d_same", lambda: conv_head(conv(2, 3, 4, padding="same"), 108), image)
    t.add("conv2d_reflect", lambda: conv_head(conv(2, 3, 3, padding=1, padding_mode="reflect"), 108), image)
    t.add("conv2d_circular", lambda: conv_head(conv(2, 3, 3, padding=1, padding_mode="circular"), 108), image)
    t.add("conv1d", lambda: conv_head(nn.Conv1d(2, 3, 3, stride=2, padding=1), 12), [1, 2, 8])
    t.add("conv1d_batchnorm_pool", lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.MaxPool1d(2), nn.AvgPool1d(3), nn.Flatten(), nn.Linear(3, 2)), [1, 2, 8])
    t.add("conv_transpose2d", lambda: conv_head(nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), 192), [1, 2, 4, 4])
    t.add("conv_transpose2d_groups", lambda: conv_head(nn.ConvTranspose2d(2, 4, 3, groups=2, dilation=2, bias=False), 256), [1, 2, 4, 4])
    t.add("batchnorm2d", lambda: nn.Sequential(conv(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)),
          image, opsets=(11, 13, 17))
    t.add("batchnorm2d_first", lambda: nn.Sequential(nn.BatchNorm2d(2, affine=False), conv(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)), image)
    t.add("residual", lambda: Net(
        lambda m, x: m.head(F.relu(m.short(x) + m.second(F.relu(m.first(x)))).flatten(1)),
        first=nn.Sequential(conv(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)),
        second=nn.Sequential(conv(4, 4, 3, padding=1), nn.BatchNorm2d(4)),
        short=nn.Sequential(conv(2, 4, 1, stride=2), nn.BatchNorm2d(4)), head=nn.Linear(36, 3)), image, dynamic=True)
    t.add("lenet", lambda: nn.Sequential(
        conv(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), conv(3, 4, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Dropout(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)), [1, 1, 12, 12], opsets=(11, 17), dynamic=True)


def pooling(t):
    image = [1, 2, 7, 7]
    t.add("maxpool", lambda: after(nn.MaxPool2d(3, stride=2, padding=1), 48), image, opsets=(11, 17))
    t.add("maxpool_ceil", lambda: after(nn.MaxPool2d(2, ceil_mode=True), 48), image)
    t.add("maxpool_dilation", lambda: after(nn.MaxPool2d(2, stride=1, dilation=2), 75), image)
    t.add("avgpool", lambda: after(nn.AvgPool2d(2), 27), image, opsets=(11, 17))
    t.add("avgpool_padded", lambda: after(nn.AvgPool2d(3, stride=2, padding=1), 48), image)
    t.add("avgpool_padding_not_counted", lambda: after(nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), 48), image)
    t.add("avgpool_ceil", lambda: after(nn.AvgPool2d(2, ceil_mode=True), 48), image)
    t.add("avgpool_ceil_padded", lambda: after(nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), 75), [1, 2, 8, 8])
    t.add("avgpool_ceil_padding_not_counted",
          lambda: after(nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), 75), [1, 2, 8, 8])
    t.add("adaptive_avgpool_1", lambda: after(nn.AdaptiveAvgPool2d(1), 3), image, opsets=(11, 17))
    t.add("adaptive_avgpool_2", lambda: after(nn.AdaptiveAvgPool2d((2, 2)), 12), [1, 2, 6, 6])
    t.add("adaptive_avgpool_uneven", lambda: after(nn.AdaptiveAvgPool2d((2, 2)), 12), image)
    t.add("adaptive_maxpool_1", lambda: after(nn.AdaptiveMaxPool2d(1), 3), image)
    t.add("mean_over_image", lambda: after(lambda x: x.mean((2, 3)), 3), image, opsets=(11, 17))
    t.add("mean_kept", lambda: after(lambda x: x - x.mean(dim=1, keepdim=True), 147), image)
    t.add("sum_over_rows", lambda: after(lambda x: x.sum(dim=2), 21), image, opsets=(11, 17))
    t.add("max_over_image", lambda: after(lambda x: x.amax((2, 3)), 3), image)


def shapes(t):
    image = [1, 2, 4, 4]
    t.add("view", lambda: after(lambda x: x.view(x.size(0), -1), 48), image, opsets=(11, 13, 17))
    t.add("view_open_batch", lambda: after(lambda x: x.view(x.size(0), -1), 48), image, opsets=(11, 17), dynamic=True)
    t.add("view_of_sizes", lambda: after(lambda x: x.view(x.shape[0], x.shape[1] * x.shape[2], x.shape[3]), 48), image, dynamic=True)
    t.add("flatten", lambda: Net(lambda m, x: m.head(torch.flatten(m.conv(x), 1)), conv=nn.Conv2d(2, 3, 2), head=nn.Linear(27, 3)),
          image, opsets=(11, 17), dynamic=True)
    t.add("flatten_dims", lambda: after(lambda x: torch.flatten(x, 2), 48), image, dynamic=True)
    t.add("reshape", lambda: after(lambda x: x.reshape(-1, 6, 8), 48), image)
    t.add("unflatten", lambda: nn.Sequential(nn.Linear(6, 18), nn.ReLU(), nn.Unflatten(1, (2, 3, 3)), nn.Conv2d(2, 2, 2), nn.Flatten()), [1, 6])
    t.add("permute", lambda: after(lambda x: x.permute(0, 2, 3, 1), 48), image)
    t.add("transpose", lambda: after(lambda x: x.transpose(1, -1), 48), image)
    t.add("squeeze", lambda: vector(lambda x: F.relu(x.unsqueeze(1).unsqueeze(-1)).squeeze(-1).squeeze(1)), [1, 6], opsets=(11, 13))
    t.add("chunk", lambda: vector(lambda x: (lambda a, b: F.relu(a) - b)(*torch.chunk(x, 2, dim=1)), 4), [1, 6], opsets=(11, 13, 17))
    t.add("split", lambda: vector(lambda x: (lambda a, b: torch.cat([b, F.relu(a)], 1))(*torch.split(x, [3, 5], dim=1))), [1, 6], opsets=(11, 13, 17))
    t.add("split_open_batch", lambda: vector(lambda x: (lambda a, b, c: F.relu(a) - b)(*torch.split(x, 3, dim=-1)), 3), [1, 6], dynamic=True)
    t.add("cat", lambda: after(lambda x: torch.cat([x, F.relu(-x), x[:, :1]], dim=1), 112), image)
    t.add("cat_input", lambda: Net(lambda m, x: m.b(torch.cat([x, F.relu(m.a(x))], -1)), a=nn.Linear(6, 4), b=nn.Linear(10, 3)), [1, 6], dynamic=True)
    t.add("stack", lambda: vector(lambda x: torch.stack([x, F.relu(x)], dim=2).flatten(1), 16), [1, 6])
    t.add("slice", lambda: after(lambda x: x[:, 1:3], 32), image, opsets=(11, 17))
    t.add("slice_steps", lambda: after(lambda x: x[:, :, ::2, 1:-1], 12), image)
    t.add("slice_open_batch", lambda: vector(lambda x: F.relu(x[:, 1:3]), 2), [1, 6], dynamic=True)
    t.add("index", lambda: vector(lambda x: F.relu(x[:, [5, 0, 2]]), 3), [1, 6])
    t.add("index_select", lambda: Net(lambda m, x: m.head(F.relu(m.body(x)).index_select(1, m.chosen)),
          body=nn.Linear(6, 8), head=nn.Linear(3, 3), chosen=torch.tensor([5, 0, 2])), [1, 6])
    t.add("select", lambda: after(lambda x: x[:, :, -1, 0], 3), image)
    t.add("flip", lambda: after(lambda x: x.flip(3), 48), image)
    t.add("roll", lambda: after(lambda x: x.roll(1, 2), 48), image)
    t.add("expand", lambda: vector(lambda x: F.relu(x.unsqueeze(1).expand(-1, 2, -1)).flatten(1), 16), [1, 6], dynamic=True)
    t.add("repeat", lambda: vector(lambda x: F.relu(x.repeat(1, 2)), 16), [1, 6])
    t.add("pixel_shuffle", lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.PixelShuffle(2), nn.Flatten(), nn.Linear(64, 3)), image)
    t.add("pad_zero", lambda: after(lambda x: F.pad(x, (1, 2, 0, 1)), 105), image, opsets=(11, 13, 17))
    t.add("pad_zero_module", lambda: after(nn.ZeroPad2d(1), 108), image)
    t.add("pad_constant", lambda: after(lambda x: F.pad(x, (1, 0), value=0.75), 60), image)
    t.add("pad_reflect", lambda: after(nn.ReflectionPad2d((1, 2, 0, 1)), 105), image)
    t.add("pad_replicate", lambda: after(nn.ReplicationPad2d((1, 2, 0, 1)), 105), image)
    t.add("pad_crop", lambda: after(lambda x: F.pad(x, (-1, -1, 0, -1)), 18), image)


def piecewise(t):
    t.add("clamp", lambda: vector(lambda x: x.clamp(-0.25, 0.5)), [1, 6], opsets=(11, 13, 17))
    t.add("clamp_min", lambda: vector(lambda x: x.clamp(min=0.125)), [1, 6], opsets=(11, 17))
    t.add("clamp_max", lambda: vector(lambda x: torch.clamp_max(x, 0.5)), [1, 6])
    t.add("relu6", lambda: vector(nn.ReLU6()), [1, 6], opsets=(11, 17))
    t.add("hardtanh", lambda: vector(nn.Hardtanh()), [1, 6])
    t.add("hardsigmoid", lambda: vector(nn.Hardsigmoid()), [1, 6])
    t.add("leaky_relu", lambda: vector(nn.LeakyReLU(0.1)), [1, 6], opsets=(11, 17))
    t.add("leaky_relu_conv", lambda: after(nn.LeakyReLU(), 48), [1, 2, 4, 4])
    t.add("prelu", lambda: nn.Sequential(nn.Linear(6, 8), nn.PReLU(), nn.Linear(8, 3)), [1, 6])
    t.add("prelu_channels", lambda: nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.PReLU(3, init=0.2), nn.Flatten(), nn.Linear(12, 3)), [1, 2, 4, 4], opsets=(11, 17))
    t.add("abs", lambda: vector(torch.abs), [1, 6])
    t.add("maximum", lambda: vector(lambda x: torch.maximum(x, x.flip(1))), [1, 6])
    t.add("minimum", lambda: Net(lambda m, x: m.c(torch.minimum(m.a(x), m.b(x))), a=nn.Linear(6, 8), b=nn.Linear(6, 8), c=nn.Linear(8, 3)), [1, 6])
    t.add("maximum_constant", lambda: Net(lambda m, x: m.b(torch.maximum(m.a(x), m.floor)),
          a=nn.Linear(6, 8), b=nn.Linear(8, 3), floor=torch.linspace(-0.5, 0.5, 8)), [1, 6])
    t.add("max_of_rows", lambda: vector(lambda x: x.view(-1, 2, 4).max(dim=1).values, 4), [1, 6])


def whole(t):
    t.add("normalisation_first", lambda: Net(
        lambda m, x: m.head(F.relu(m.conv((x - m.mean) / m.std)).flatten(1)), conv=nn.Conv2d(2, 3, 3), head=nn.Linear(12, 3),
        mean=torch.tensor([0.1307, 0.4914]).view(1, 2, 1, 1), std=torch.tensor([0.3081, 0.2471]).view(1, 2, 1, 1)),
        [1, 2, 4, 4], opsets=(11, 17), dynamic=True)
    t.add("normalisation_by_scalars", lambda: Net(lambda m, x: m.net((x - 0.1307) / 0.3081), net=mlp(6, 8, 3)), [1, 6])
    t.add("normalisation_of_bytes", lambda: Net(lambda m, x: m.net(x / 255.0 * 2 - 1), net=mlp(6, 8, 3)), [1, 6])
    t.add("scaled_residual", lambda: Net(lambda m, x: m.b(x + 0.5 * F.relu(m.a(x))), a=nn.Linear(6, 6), b=nn.Linear(6, 3)), [1, 6])
    t.add("same_layer_twice", lambda: Net(lambda m, x: m.b(F.relu(m.a(F.relu(m.a(x))))), a=nn.Linear(6, 6), b=nn.Linear(6, 3)), [1, 6])
    t.add("einsum", lambda: Net(lambda m, x: m.b(F.relu(torch.einsum("bi,oi->bo", x, m.a))), a=torch.randn(8, 6), b=nn.Linear(8, 3)), [1, 6])
    t.add("matmul_left", lambda: Net(lambda m, x: m.b(F.relu(torch.matmul(m.a, x)).flatten(1)), a=torch.randn(5, 3), b=nn.Linear(20, 3)), [1, 3, 4])
    t.add("two_outputs", lambda: Net(lambda m, x: (m.b(F.relu(m.a(x))), m.a(x)), a=nn.Linear(6, 8), b=nn.Linear(8, 3)),
          [1, 6], outputs=("logits", "features"))
    t.add("dueling", lambda: Net(lambda m, x: (lambda h: m.value(h) + m.advantage(h) - m.advantage(h).mean(dim=1, keepdim=True))(F.relu(m.body(x))),
          body=nn.Linear(6, 8), value=nn.Linear(8, 1), advantage=nn.Linear(8, 3)), [1, 6], dynamic=True)
    unused_input(t)
    external_data(t)


def unused_input(t):
    name = "unused_input"
    torch.manual_seed(seed(name) % 2**31)
    model = Masked(mlp(6, 8, 3)).eval()
    values = t.fixtures.inputs(name, [1, 6])
    example = (torch.from_numpy(values[0]), torch.ones(1, 6))
    names = {"input_names": ["input", "mask"], "output_names": ["output"]}
    exports = {"legacy17": lambda: legacy(model, example, 17, **names), "dynamo": lambda: dynamo(model, example, **names)}

    def forward(x):
        with torch.no_grad():
            return [model(torch.from_numpy(x), example[1]).numpy()]

    t.fixtures.add(name, f"torch {torch.__version__.split('+')[0]}", exports, inputs=values, forward=forward)


def external_data(t):
    """Weights in a file beside the model, as the exporter writes them by default where there are many."""
    name = "external_data"
    torch.manual_seed(seed(name) % 2**31)
    model = mlp(6, 64, 3).eval()
    values = t.fixtures.inputs(name, [1, 6])

    def export():
        path = t.fixtures.folder / f"{name}.dynamo.onnx"
        with tempfile.TemporaryDirectory() as folder:
            scratch = pathlib.Path(folder) / path.name
            torch.onnx.export(model, (torch.from_numpy(values[0]),), scratch, dynamo=True, external_data=True, verbose=False,
                              input_names=["input"], output_names=["output"])
            for file in pathlib.Path(folder).iterdir():
                (path.parent / file.name).write_bytes(file.read_bytes())
        model_only = onnx.load(path, load_external_data=False)
        assert any(t.external_data for t in model_only.graph.initializer)
        return model_only

    def forward(x):
        with torch.no_grad():
            return [model(torch.from_numpy(x)).numpy()]

    t.fixtures.add(name, f"torch {torch.__version__.split('+')[0]}", {"dynamo": export}, inputs=values, forward=forward)


def refused(t):
    for name, function, operators in (
        ("sigmoid", torch.sigmoid, ("Sigmoid",)),
        ("tanh", torch.tanh, ("Tanh",)),
        ("gelu", F.gelu, ("Gelu", "Erf")),
        ("silu", F.silu, ("Sigmoid", "Swish")),
        ("elu", F.elu, ("Elu",)),
        ("softplus", F.softplus, ("Softplus",)),
        ("softmax_in_the_middle", lambda x: F.softmax(x, dim=1), ("Softmax",)),
        ("product", lambda x: x * x.flip(1), ("Mul",)),
        ("where", lambda x: torch.where(x > 0, x, torch.zeros_like(x)), ("Greater", "Where")),
        ("sorted", lambda x: x.sort(dim=1).values, ("TopK",)),
    ):
        t.add(name, lambda: vector(function), [1, 6], refused=operators)
    t.add("layer_norm", lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3)), [1, 6],
          opsets=(13, 17), refused=("LayerNormalization", "Pow"))
    t.add("lstm", lambda: Net(lambda m, x: m.head(m.lstm(x)[0][:, -1]), lstm=nn.LSTM(3, 4, batch_first=True), head=nn.Linear(4, 2)),
          [1, 5, 3], refused=("LSTM",))
    t.add("gru", lambda: Net(lambda m, x: m.head(m.gru(x)[0][:, -1]), gru=nn.GRU(3, 4, batch_first=True), head=nn.Linear(4, 2)),
          [1, 5, 3], refused=("GRU",))
    t.add("attention", lambda: Net(lambda m, x: m.head(m.attention(x, x, x, need_weights=False)[0].flatten(1)),
          attention=nn.MultiheadAttention(4, 2, batch_first=True), head=nn.Linear(12, 2)), [1, 3, 4], refused=("Softmax", "Attention", "MatMul", "Sqrt"))
    t.add("upsample_bilinear", lambda: after(nn.Upsample(scale_factor=2, mode="bilinear"), 192), [1, 2, 4, 4], refused=("Resize",))
    t.add("upsample_nearest", lambda: after(nn.Upsample(scale_factor=2), 192), [1, 2, 4, 4], refused=("Resize",))
    t.add("instance_norm", lambda: after(nn.InstanceNorm2d(3), 48), [1, 2, 4, 4], refused=("InstanceNormalization",))


def make(fixtures):
    t = Torch(fixtures)
    for define in (linear, convolutions, pooling, shapes, piecewise, whole, refused):
        define(t)
