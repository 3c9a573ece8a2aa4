"""flax (nnx and linen) through jax2onnx, with a batch of one and with an open one."""

import logging
import os
import warnings

os.environ["JAX_PLATFORMS"] = "cpu"
logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")

import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from importlib.metadata import version
from jax2onnx import to_onnx

from fixtures import seed


class Net(nnx.Module):
    """Layers by name, and a function of them and the input."""

    def __init__(self, function, **parts):
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def __call__(self, x):
        return self.function(self, x)


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.Conv(3, (3, 3), strides=2)(x))
        x = linen.BatchNorm(use_running_average=True)(x)
        x = linen.max_pool(x, window_shape=(2, 2), strides=(1, 1))
        return linen.Dense(3)(x.reshape((x.shape[0], -1)))


def settle(model, draw):
    """Biases and batch norms as if they had been trained."""
    ranges = {"bias": (-0.5, 0.5), "scale": (0.5, 1.5), "mean": (-0.5, 0.5), "var": (0.5, 2.0)}
    for _, module in nnx.iter_modules(model):
        for name, (low, high) in ranges.items():
            parameter = getattr(module, name, None)
            if isinstance(parameter, nnx.Variable) and parameter.get_value() is not None:
                parameter.set_value(jnp.asarray(draw.uniform(low, high, size=parameter.get_value().shape), jnp.float32))
    model.eval()


class Flax:
    def __init__(self, fixtures):
        self.fixtures = fixtures

    def add(self, name, build, shape, opsets=(), refused=None, **options):
        """`build` makes the module of random numbers; `shape` is without the batch; `opsets` come beside the default."""
        if not self.fixtures.wanted(name):
            return
        module = build(nnx.Rngs(seed(name) % 2**31))
        settle(module, np.random.default_rng(seed(name)))
        self.export(name, module, shape, opsets, refused, **options)

    def export(self, name, function, shape, opsets=(), refused=None, **options):
        exports = {
            "one": lambda: to_onnx(function, [(1, *shape)], **options),
            "open": lambda: to_onnx(function, [("B", *shape)], **options),
        }
        exports |= {f"open{k}": lambda k=k: to_onnx(function, [("B", *shape)], opset=k, **options) for k in opsets}

        inputs = self.fixtures.inputs(name, (1, *shape))
        channels_first = "inputs_as_nchw" in options
        if channels_first:
            inputs = [np.moveaxis(x, -1, 1) for x in inputs]

        def forward(x):
            result = function(jnp.asarray(np.moveaxis(x, 1, -1) if channels_first else x))
            return [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]

        made = f"flax {flax.__version__}, jax {jax.__version__}, jax2onnx {version('jax2onnx')}"
        self.fixtures.add(name, made, exports, inputs=inputs, forward=forward, refused=refused)


def flat(x):
    return x.reshape(x.shape[0], -1)


def vector(function, width=8):
    return lambda r: Net(lambda m, x: m.head(function(m.body(x))), body=nnx.Linear(6, 8, rngs=r), head=nnx.Linear(width, 3, rngs=r))


def image(function, features, **options):
    """conv, relu, the function, flatten, dense."""
    return lambda r: Net(lambda m, x: m.head(flat(function(nnx.relu(m.conv(x))))),
                         conv=nnx.Conv(2, 3, (3, 3), rngs=r, **options), head=nnx.Linear(features, 3, rngs=r))


def residual(r):
    def conv(inputs, strides=1):
        return nnx.Sequential(nnx.Conv(inputs, 4, (3, 3), strides=strides, rngs=r), nnx.BatchNorm(4, rngs=r))
    return Net(lambda m, x: m.head(nnx.relu(m.short(x) + m.second(nnx.relu(m.first(x)))).mean(axis=(1, 2))),
               first=conv(2, 2), second=conv(4), short=nnx.Conv(2, 4, (1, 1), strides=2, rngs=r), head=nnx.Linear(4, 3, rngs=r))


def lenet(r):
    def forward(m, x):
        x = nnx.max_pool(nnx.relu(m.a(x)), window_shape=(2, 2), strides=(2, 2))
        x = nnx.avg_pool(nnx.relu(m.b(x)), window_shape=(2, 2), strides=(2, 2))
        return m.d(nnx.relu(m.c(flat(x))))
    return Net(forward, a=nnx.Conv(1, 3, (3, 3), rngs=r), b=nnx.Conv(3, 4, (3, 3), padding="VALID", rngs=r),
               c=nnx.Linear(16, 8, rngs=r), d=nnx.Linear(8, 4, rngs=r))


def make(fixtures):
    t, picture = Flax(fixtures), (6, 6, 2)
    t.add("dense", vector(nnx.relu), (6,), opsets=(17, 21))
    t.add("dense_without_bias", lambda r: nnx.Sequential(nnx.Linear(6, 8, use_bias=False, rngs=r), nnx.relu, nnx.Linear(8, 3, rngs=r)), (6,))
    t.add("dropout", lambda r: nnx.Sequential(nnx.Linear(6, 8, rngs=r), nnx.relu, nnx.Dropout(0.5, rngs=r), nnx.Linear(8, 3, rngs=r)), (6,))
    t.add("conv", image(lambda x: x, 108), picture, opsets=(17, 21))
    t.add("conv_valid_stride", image(lambda x: x, 12, padding="VALID", strides=2), picture)
    t.add("conv_dilation", image(lambda x: x, 108, kernel_dilation=2), picture)
    t.add("conv_nchw", image(lambda x: x, 48, padding="VALID"), picture, inputs_as_nchw=[0])
    t.add("depthwise_conv", lambda r: Net(lambda m, x: m.head(flat(nnx.relu(m.conv(x)))),
          conv=nnx.Conv(2, 4, (3, 3), padding="VALID", feature_group_count=2, rngs=r), head=nnx.Linear(64, 3, rngs=r)), picture)
    t.add("conv_transpose", lambda r: Net(lambda m, x: m.head(flat(nnx.relu(m.conv(x)))),
          conv=nnx.ConvTranspose(2, 3, (3, 3), strides=(2, 2), rngs=r), head=nnx.Linear(108, 3, rngs=r)), (3, 3, 2))
    t.add("conv_1d", lambda r: Net(lambda m, x: m.head(flat(nnx.relu(m.conv(x)))), conv=nnx.Conv(2, 3, (3,), rngs=r), head=nnx.Linear(24, 3, rngs=r)), (8, 2))
    t.add("batch_norm", lambda r: Net(lambda m, x: m.head(flat(nnx.relu(m.norm(m.conv(x))))),
          conv=nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=r), norm=nnx.BatchNorm(3, rngs=r), head=nnx.Linear(48, 3, rngs=r)), picture)
    t.add("batch_norm_dense", lambda r: nnx.Sequential(nnx.Linear(6, 8, rngs=r), nnx.BatchNorm(8, rngs=r), nnx.relu, nnx.Linear(8, 3, rngs=r)), (6,))
    t.add("avg_pool", image(lambda x: nnx.avg_pool(x, window_shape=(2, 2), strides=(2, 2)), 27), picture)
    t.add("avg_pool_same", image(lambda x: nnx.avg_pool(x, window_shape=(3, 3), strides=(2, 2), padding="SAME"), 27), picture)
    t.add("max_pool", image(lambda x: nnx.max_pool(x, window_shape=(2, 2), strides=(2, 2)), 27), picture)
    t.add("max_pool_same", image(lambda x: nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding="SAME"), 27), picture)
    t.add("mean", image(lambda x: x.mean(axis=(1, 2)), 3), picture)
    t.add("sum", image(lambda x: x.sum(axis=1), 18), picture)
    t.add("max", image(lambda x: x.max(axis=(1, 2)), 3), picture)
    t.add("residual", residual, picture)
    t.add("lenet", lenet, (12, 12, 1))
    t.add("softmax", lambda r: nnx.Sequential(nnx.Linear(6, 8, rngs=r), nnx.relu, nnx.Linear(8, 3, rngs=r), lambda x: jax.nn.softmax(x)), (6,))
    # Taken by another name, the function reaches the exporter as its parts.
    t.add("softmax_in_parts", lambda r: nnx.Sequential(nnx.Linear(6, 3, rngs=r), nnx.softmax), (6,), refused=("ReduceMax", "Max", "Exp"))
    t.add("normalisation_first", lambda r: Net(lambda m, x: m.net((x - jnp.array([0.1307, 0.4914])) / jnp.array([0.3081, 0.2471])),
          net=nnx.Sequential(nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=r), nnx.relu, flat, nnx.Linear(48, 3, rngs=r))), picture)
    t.add("leaky_relu", vector(lambda x: nnx.leaky_relu(x, 0.1)), (6,))
    t.add("relu6", vector(nnx.relu6), (6,))
    t.add("clip", vector(lambda x: jnp.clip(x, -0.25, 0.5)), (6,))
    t.add("abs", vector(jnp.abs), (6,))
    t.add("maximum", vector(lambda x: jnp.maximum(x, 0.25)), (6,))
    t.add("minimum", vector(lambda x: jnp.minimum(x[:, :4], x[:, 4:]), 4), (6,))
    t.add("concatenate", vector(lambda x: jnp.concatenate([x, nnx.relu(-x)], axis=-1), 16), (6,))
    t.add("split", vector(lambda x: (lambda a, b: nnx.relu(a) - b)(*jnp.split(x, 2, axis=1)), 4), (6,))
    t.add("slice", vector(lambda x: nnx.relu(x)[:, 1:7:2], 3), (6,))
    t.add("pad", image(lambda x: jnp.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))), 168), picture)
    t.add("transpose", image(lambda x: jnp.transpose(x, (0, 3, 1, 2)), 108), picture)
    t.add("two_outputs", lambda r: Net(lambda m, x: (m.b(nnx.relu(m.a(x))), m.a(x)), a=nnx.Linear(6, 8, rngs=r), b=nnx.Linear(8, 3, rngs=r)), (6,))
    module = Linen()
    variables = module.init(jax.random.PRNGKey(0), jnp.zeros((1, *picture)))
    if fixtures.wanted("linen"):
        t.export("linen", lambda x: module.apply(variables, x), picture)
    for name, function, operators in (
        ("sigmoid", nnx.sigmoid, ("Sigmoid",)),
        ("tanh", nnx.tanh, ("Tanh",)),
        ("where", lambda x: jnp.where(x > 0, x, 0), ("Greater", "Where")),
        ("hard_tanh", nnx.hard_tanh, ("Greater", "Less", "Where")),  # in parts, of which no single one is continuous
        ("gelu", nnx.gelu, ("Gelu", "Erf", "Pow", "Tanh", "Mul")),
        ("silu", nnx.silu, ("Sigmoid", "Swish")),
        ("softmax_in_the_middle", lambda x: jax.nn.softmax(x), ("Softmax",)),
    ):
        t.add(name, vector(function), (6,), refused=operators)
    t.add("layer_norm", lambda r: nnx.Sequential(nnx.Linear(6, 8, rngs=r), nnx.LayerNorm(8, rngs=r), nnx.Linear(8, 3, rngs=r)), (6,),
          refused=("LayerNormalization", "Mul", "Sqrt"))
