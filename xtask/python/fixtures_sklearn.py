"""scikit-learn through skl2onnx."""

import warnings

import numpy as np
import sklearn
from skl2onnx import __version__ as skl2onnx_version
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeRegressor

from fixtures import seed

warnings.filterwarnings("ignore")

FEATURES = 5


def data(name):
    draw = np.random.default_rng(seed(name))
    x = (draw.integers(-64, 65, size=(80, FEATURES)) / 32).astype(np.float32)
    y = np.maximum(x @ draw.normal(size=(FEATURES, 3)), 0) @ draw.normal(size=(3, 2))
    return x, y


def mlp(kind, **options):
    options = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 60, **options}
    return kind(**options)


class Sklearn:
    def __init__(self, fixtures):
        self.fixtures = fixtures

    def add(self, name, model, target, methods, dtype=np.float32, refused=None, options=None, **more):
        """`methods` of the model give the outputs of the file, in its order."""
        if not self.fixtures.wanted(name):
            return
        x, y = data(name)
        model.fit(x.astype(dtype), target(y))
        last = model.steps[-1][1] if hasattr(model, "steps") else model

        def export():
            return to_onnx(model, x[:1].astype(dtype), options={id(last): options} if options else None, **more)

        def forward(value):
            return [getattr(model, method)(value) for method in methods]

        made = f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx_version}"
        inputs = self.fixtures.inputs(name, [1, FEATURES], dtype)
        self.fixtures.add(name, made, {"skl2onnx": export}, inputs=inputs, forward=forward, refused=refused)


def one(y):
    return y[:, 0]


def both(y):
    return y


def two_classes(y):
    return (y[:, 0] > np.median(y[:, 0])).astype(int)


def three_classes(y):
    return np.digitize(y[:, 0], np.quantile(y[:, 0], [0.33, 0.67]))


def make(fixtures):
    t = Sklearn(fixtures)
    t.add("mlp_regressor", mlp(MLPRegressor), one, ["predict"])
    t.add("mlp_regressor_two_targets", mlp(MLPRegressor, hidden_layer_sizes=(8, 6)), both, ["predict"])
    t.add("mlp_regressor_identity", mlp(MLPRegressor, activation="identity"), one, ["predict"])
    t.add("mlp_regressor_f64", mlp(MLPRegressor), one, ["predict"], dtype=np.float64)
    t.add("mlp_regressor_opset_12", mlp(MLPRegressor), one, ["predict"], target_opset={"": 12, "ai.onnx.ml": 1})
    labels = ["predict", "predict_proba"]
    t.add("mlp_classifier", mlp(MLPClassifier), three_classes, labels, options={"zipmap": False})
    for name, scaler in (("standard", StandardScaler()), ("min_max", MinMaxScaler()), ("min_max_clipped", MinMaxScaler(clip=True)),
                         ("max_abs", MaxAbsScaler()), ("robust", RobustScaler())):
        t.add(f"{name}_scaler_mlp", make_pipeline(scaler, mlp(MLPRegressor)), one, ["predict"])
    t.add("standard_scaler_mlp_classifier", make_pipeline(StandardScaler(), mlp(MLPClassifier)), three_classes, labels, options={"zipmap": False})
    t.add("linear_regression", LinearRegression(), both, ["predict"])
    t.add("ridge", Ridge(), one, ["predict"])
    # To be refused, each for the operator that makes it no piecewise linear function, or that only classical models have.
    t.add("mlp_classifier_binary", mlp(MLPClassifier), two_classes, labels, options={"zipmap": False}, refused=("Sigmoid",))
    t.add("mlp_classifier_zipmap", mlp(MLPClassifier), three_classes, labels, refused=("ZipMap", "Softmax"))
    t.add("mlp_regressor_tanh", mlp(MLPRegressor, activation="tanh"), one, ["predict"], refused=("Tanh",))
    t.add("mlp_regressor_logistic", mlp(MLPRegressor, activation="logistic"), one, ["predict"], refused=("Sigmoid",))
    t.add("logistic_regression", LogisticRegression(), three_classes, labels, options={"zipmap": False}, refused=("LinearClassifier",))
    t.add("linear_svc", LinearSVC(), three_classes, ["predict", "decision_function"], options={"raw_scores": True}, refused=("LinearClassifier",))
    t.add("decision_tree", DecisionTreeRegressor(max_depth=2), one, ["predict"], refused=("TreeEnsembleRegressor",))
    t.add("random_forest", RandomForestClassifier(n_estimators=2, max_depth=2, random_state=0), three_classes, labels,
          options={"zipmap": False}, refused=("TreeEnsembleClassifier",))
    t.add("support_vectors", SVC(kernel="rbf"), three_classes, ["predict", "decision_function"], options={"zipmap": False}, refused=("SVMClassifier",))
