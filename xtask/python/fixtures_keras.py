"""Keras 3 on TensorFlow: by `Model.export(format="onnx")`, which calls tf2onnx, and by tf2onnx itself at another opset."""

import os
import pathlib
import tempfile
import warnings

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
warnings.filterwarnings("ignore")

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from keras import layers as L

from fixtures import seed

tf.get_logger().setLevel("ERROR")


def exported(model):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        model.export(path, format="onnx", verbose=False)
        return onnx.load(path)


def converted(model, shape, opset):
    """With a batch of one, not an open one."""
    signature = [tf.TensorSpec(shape, tf.float32, name="input")]
    model_proto, _ = tf2onnx.convert.from_function(tf.function(lambda x: model(x)), signature, opset=opset)
    return model_proto


class Keras:
    def __init__(self, fixtures):
        self.fixtures = fixtures

    def add(self, name, build, shape, opsets=(18,), refused=None):
        """`build` maps a symbolic input of `shape`, which is without the batch, to the output or outputs."""
        if not self.fixtures.wanted(name):
            return
        keras.backend.clear_session()
        tf2onnx.utils.INTERNAL_NAME = 1  # counts on over all models otherwise, so names would depend on the fixtures before
        given = keras.Input(shape, name="input")
        model = keras.Model(given, build(given))
        settle(model, np.random.default_rng(seed(name)))
        model(np.zeros((1, *shape), np.float32))  # a model that was never called cannot be exported
        exports = {"export": lambda: exported(model)}
        exports |= {f"tf2onnx{k}": lambda k=k: converted(model, (1, *shape), k) for k in opsets}

        def forward(x):
            result = model.predict(x, verbose=0)
            return result if isinstance(result, list) else [result]

        made = f"keras {keras.__version__}, tensorflow {tf.__version__}, tf2onnx {tf2onnx.__version__}"
        self.fixtures.add(name, made, exports, inputs=self.fixtures.inputs(name, (1, *shape)), forward=forward, refused=refused)


RANGES = {"gamma": (0.5, 1.5), "moving_variance": (0.5, 2.0), "alpha": (0.1, 0.4)}


def settle(model, draw):
    """Weights and batch norms as if they had been trained. Layers take their own seeds when they are made, so not theirs."""
    for layer in model.layers:
        for variable in layer.weights:
            if "seed" not in variable.name:
                low, high = RANGES.get(variable.name, (-0.5, 0.5))
                variable.assign(draw.uniform(low, high, size=variable.shape).astype(np.float32))


def chain(*layers):
    def build(x):
        for layer in layers:
            x = layer(x)
        return x
    return build


def head(*layers):
    """conv, relu, the layers, flatten, dense."""
    return chain(L.Conv2D(3, 3, padding="same", activation="relu"), *layers, L.Flatten(), L.Dense(3))


def vector(*layers):
    return chain(L.Dense(8), *layers, L.Dense(3))


def residual(x):
    first = L.BatchNormalization()(L.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x))
    second = L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(L.ReLU()(first)))
    short = L.Conv2D(4, 1, strides=2)(x)
    return L.Dense(3)(L.Flatten()(L.ReLU()(L.Add()([second, short]))))


def inception(x):
    parts = [L.Conv2D(2, 1, activation="relu")(x), L.Conv2D(2, 3, padding="same", activation="relu")(x), L.MaxPooling2D(2, 1, padding="same")(x)]
    return L.Dense(3)(L.GlobalAveragePooling2D()(L.Concatenate()(parts)))


def two_heads(x):
    body = L.Dense(8, activation="relu")(x)
    return [L.Dense(3, name="logits")(body), L.Dense(2, name="value")(body)]


def make(fixtures):
    t, image = Keras(fixtures), (6, 6, 2)
    t.add("dense", chain(L.Dense(8, activation="relu"), L.Dense(3)), (6,), opsets=(9, 13, 18))
    t.add("dense_over_rows", chain(L.Dense(4, activation="relu"), L.Flatten(), L.Dense(3)), (3, 5))
    t.add("softmax", chain(L.Dense(8, activation="relu"), L.Dropout(0.5), L.Dense(3, activation="softmax")), (6,), opsets=(11, 18))
    t.add("batchnorm_dense", vector(L.BatchNormalization(), L.ReLU()), (6,))
    t.add("conv2d_valid", chain(L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(3)), image, opsets=(11, 18))
    t.add("conv2d_same_stride", chain(L.Conv2D(3, 3, strides=2, padding="same", activation="relu"), L.Flatten(), L.Dense(3)), image)
    t.add("conv2d_dilation", chain(L.Conv2D(3, 2, dilation_rate=2, activation="relu"), L.Flatten(), L.Dense(3)), image)
    t.add("conv1d", chain(L.Conv1D(3, 3, strides=2, padding="same", activation="relu"), L.MaxPooling1D(2), L.Flatten(), L.Dense(3)), (8, 2))
    t.add("depthwise_conv2d", chain(L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"), L.Flatten(), L.Dense(3)), image)
    t.add("separable_conv2d", chain(L.SeparableConv2D(3, 3, padding="same", activation="relu"), L.Flatten(), L.Dense(3)), image)
    t.add("conv2d_transpose", chain(L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu"), L.Flatten(), L.Dense(3)), (3, 3, 2))
    t.add("conv2d_transpose_valid", chain(L.Conv2DTranspose(3, 3, activation="relu"), L.Flatten(), L.Dense(3)), (3, 3, 2))
    t.add("batchnorm_conv2d", chain(L.Conv2D(3, 3, use_bias=False), L.BatchNormalization(), L.ReLU(), L.Flatten(), L.Dense(3)), image)
    t.add("batchnorm_first", chain(L.BatchNormalization(), L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(3)), image)
    t.add("batchnorm_after_relu", head(L.BatchNormalization(), L.Conv2D(2, 3, activation="relu")), image)
    t.add("max_pooling", head(L.MaxPooling2D()), image, opsets=(11, 18))
    t.add("max_pooling_same", head(L.MaxPooling2D(3, 2, padding="same")), image)
    t.add("average_pooling", head(L.AveragePooling2D(2)), image)
    t.add("average_pooling_same", head(L.AveragePooling2D(3, 2, padding="same")), image)
    t.add("global_average_pooling", head(L.GlobalAveragePooling2D()), image, opsets=(11, 18))
    t.add("global_average_pooling_kept", head(L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(2, 1)), image)
    t.add("global_max_pooling", head(L.GlobalMaxPooling2D()), image)
    t.add("relu6", vector(L.ReLU(max_value=6)), (6,), opsets=(11, 18))
    t.add("leaky_relu", vector(L.LeakyReLU(negative_slope=0.1)), (6,))
    t.add("prelu", vector(L.PReLU()), (6,))
    t.add("prelu_shared", chain(L.Conv2D(3, 3), L.PReLU(shared_axes=[1, 2]),
                                L.Flatten(), L.Dense(3)), image)
    t.add("hard_sigmoid", vector(L.Activation("hard_sigmoid")), (6,))
    t.add("maximum", lambda x: L.Dense(3)(L.Maximum()([L.Dense(8)(x), L.Dense(8)(x)])), (6,))
    t.add("minimum", lambda x: L.Dense(3)(L.Minimum()([L.Dense(8)(x), L.Dense(8)(x)])), (6,))
    t.add("average", lambda x: L.Dense(3)(L.Average()([L.Dense(8, activation="relu")(x), L.Dense(8)(x)])), (6,))
    t.add("subtract", lambda x: L.Dense(3)(L.Subtract()([L.Dense(8, activation="relu")(x), L.Dense(8)(x)])), (6,))
    t.add("zero_padding", head(L.ZeroPadding2D(((1, 0), (0, 2)))), image)
    t.add("cropping", head(L.Cropping2D(((1, 0), (0, 2)))), image)
    t.add("up_sampling", head(L.UpSampling2D(2)), (3, 3, 2))
    t.add("reshape", chain(L.Dense(18, activation="relu"), L.Reshape((3, 3, 2)), L.Conv2D(2, 2), L.Flatten()), (6,))
    t.add("permute", head(L.Permute((3, 1, 2))), image)
    t.add("repeat_vector", vector(L.RepeatVector(2), L.Flatten()), (6,))
    t.add("add_residual", residual, image)
    t.add("concatenate", inception, image)
    t.add("rescaling", chain(L.Rescaling(1 / 127.5, offset=-1), L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(3)), image)
    t.add("lenet", chain(L.Conv2D(3, 3, padding="same", activation="relu"), L.MaxPooling2D(), L.Conv2D(4, 3, activation="relu"),
                         L.AveragePooling2D(2), L.Flatten(), L.Dense(8, activation="relu"), L.Dropout(0.3), L.Dense(4, activation="softmax")), (12, 12, 1))
    t.add("mobilenet_block", chain(
        L.Conv2D(6, 1, use_bias=False), L.BatchNormalization(), L.ReLU(6.0), L.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
        L.BatchNormalization(), L.ReLU(6.0), L.Conv2D(3, 1, use_bias=False), L.BatchNormalization(), L.GlobalAveragePooling2D(), L.Dense(3)), image)
    t.add("two_heads", two_heads, (6,))
    for name, layer, operators in (
        ("sigmoid", L.Activation("sigmoid"), ("Sigmoid",)),
        ("tanh", L.Activation("tanh"), ("Tanh",)),
        ("gelu", L.Activation("gelu"), ("Erfc", "Erf", "Gelu")),
        ("relu_of_jumps", L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.25), ("Greater", "Less", "Where")),
        ("elu", L.ELU(), ("Elu", "Exp")),
        ("softmax_in_the_middle", L.Softmax(), ("Softmax",)),
        ("layer_normalization", L.LayerNormalization(), ("Sqrt", "Mul", "ReduceProd", "InstanceNormalization", "LayerNormalization")),
    ):
        t.add(name, vector(layer), (6,), refused=operators)
    # tf2onnx makes inputs of the mean and the variance, and loses their numbers.
    t.add("normalization", chain(L.Normalization(mean=[0.1, 0.4], variance=[0.25, 2.0]), L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(3)),
          image, refused=("input",))
    t.add("lstm", chain(L.LSTM(4), L.Dense(2)), (5, 3), refused=("LSTM", "Loop"))
    t.add("multiply", lambda x: L.Dense(3)(L.Multiply()([L.Dense(8)(x), L.Dense(8)(x)])), (6,), refused=("Mul",))
