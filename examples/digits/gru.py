"""The recurrent network: a GRU reads an image row by row, top to bottom, and its last state is classified.

NumPy only: the gradients are written out below (backpropagation through time), gru_test.py compares them with
differences of the loss.

    h_0 = 0;  x_t = row t of the image, t = 1..8
    z, r = sigmoid(W x_t + Wb + R h + Rb) of their rows
    n    = tanh(Wn x_t + Wbn + r (Rn h + Rbn))            ONNX's linear_before_reset = 1, as in PyTorch and cuDNN
    h_t  = (1 - z) n + z h
    logits = F h_8 + f

Parameters by role, as ONNX stores them: W [1, 3H, 8] and R [1, 3H, H] with the gates stacked z, r, n, B [1, 6H] (Wb,
then Rb), F [10, H], f [10].
"""

import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import onnx_model
from digits_data import CLASSES, augment

HIDDEN = 128
SIDE = 8
BATCH = 64
INITIALIZERS = {"W": "gru.W", "R": "gru.R", "B": "gru.B", "F": "fc.weight", "f": "fc.bias"}


def initial_parameters(hidden, generator):
    """Uniform in +-1 / sqrt(H), as PyTorch does."""
    shapes = {"W": (1, 3 * hidden, SIDE), "R": (1, 3 * hidden, hidden), "B": (1, 6 * hidden), "F": (CLASSES, hidden),
              "f": (CLASSES,)}
    limit = 1 / math.sqrt(hidden)
    return {role: generator.uniform(-limit, limit, shape).astype(np.float32) for role, shape in shapes.items()}


def sigmoid(v):
    return 0.5 + 0.5 * np.tanh(0.5 * v)


def forward(parameters, images):
    """Logits [N, 10] of images [N, 1, 8, 8], and what `backward` needs: per step h, z, r, n and the n of R h + Rb."""
    w, r_weights, hidden = parameters["W"][0], parameters["R"][0], parameters["R"].shape[2]
    input_bias, state_bias = np.split(parameters["B"][0], 2)
    h = np.zeros((len(images), hidden), images.dtype)
    steps = []
    for t in range(SIDE):
        wz, wr, wn = np.split(images[:, 0, t] @ w.T + input_bias, 3, axis=1)
        rz, rr, rn = np.split(h @ r_weights.T + state_bias, 3, axis=1)
        z, r = sigmoid(wz + rz), sigmoid(wr + rr)
        n = np.tanh(wn + r * rn)
        steps.append((h, z, r, n, rn))
        h = (1 - z) * n + z * h
    return h @ parameters["F"].T + parameters["f"], (h, steps)


def backward(parameters, images, state, d_logits):
    """Gradients of the parameters from that of the logits: the steps from last to first."""
    h, steps = state
    gradients = {role: np.zeros_like(value) for role, value in parameters.items()}
    gradients["F"] = d_logits.T @ h
    gradients["f"] = d_logits.sum(0)
    d_h = d_logits @ parameters["F"]
    for t in reversed(range(SIDE)):
        h, z, r, n, rn = steps[t]
        d_n = d_h * (1 - z) * (1 - n * n)
        d_z = d_h * (h - n) * z * (1 - z)
        d_r = d_n * rn * r * (1 - r)
        d_input = np.concatenate([d_z, d_r, d_n], axis=1)      # of W x + Wb
        d_state = np.concatenate([d_z, d_r, d_n * r], axis=1)  # of R h + Rb
        gradients["W"][0] += d_input.T @ images[:, 0, t]
        gradients["R"][0] += d_state.T @ h
        gradients["B"][0] += np.concatenate([d_input.sum(0), d_state.sum(0)])
        d_h = d_h * z + d_state @ parameters["R"][0]
    return gradients


def cross_entropy(logits, labels, smoothing=0.05):
    """The mean loss against labels smoothed over all classes, and its gradient."""
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    target = np.full_like(logits, smoothing / logits.shape[1])
    target[np.arange(len(labels)), labels] += 1 - smoothing
    return -(target * log_p).sum() / len(labels), (np.exp(log_p) - target) / len(labels)


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019), PyTorch's defaults."""

    def __init__(self, parameters, decay):
        self.parameters, self.decay, self.step = parameters, decay, 0
        self.first = {role: np.zeros_like(value) for role, value in parameters.items()}
        self.second = {role: np.zeros_like(value) for role, value in parameters.items()}

    def update(self, gradients, rate):
        self.step += 1
        for role, gradient in gradients.items():
            first, second = self.first[role], self.second[role]
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            step = (first / (1 - 0.9**self.step)) / (np.sqrt(second / (1 - 0.999**self.step)) + 1e-8)
            self.parameters[role] -= rate * (step + self.decay * self.parameters[role])


def train(parameters, digits, epochs, rate, seed, masks=None):
    """Trains in place with the rate decaying to zero along a cosine. Where a mask of `masks` is 0 nothing changes."""
    generator = np.random.default_rng(seed)
    optimizer = AdamW(parameters, decay=1e-3)
    count = len(digits.train_labels)
    steps = epochs * math.ceil(count / BATCH)
    for epoch in range(epochs):
        total = 0.0
        order = generator.permutation(count)
        for batch in np.split(order, range(BATCH, count, BATCH)):
            images = augment(digits.train_images[batch], generator)
            logits, state = forward(parameters, images)
            loss, d_logits = cross_entropy(logits, digits.train_labels[batch])
            gradients = backward(parameters, images, state, d_logits)
            for role, mask in (masks or {}).items():
                gradients[role] *= mask
            optimizer.update(gradients, rate * 0.5 * (1 + math.cos(math.pi * optimizer.step / steps)))
            total += loss * len(batch)
        if (epoch + 1) % 10 == 0 or epoch + 1 == epochs:
            print(f"epoch {epoch + 1}/{epochs}: training loss {total / count:.4f}", flush=True)


def make_model(parameters):
    """ONNX: the image's rows become steps, [8, batch, 8]; the last state of the GRU goes to a Gemm."""
    hidden = parameters["R"].shape[2]
    constants = {"rows.shape": np.array([-1, SIDE, SIDE]), "state.shape": np.array([-1, hidden])}
    constants.update({INITIALIZERS[role]: value for role, value in parameters.items()})
    nodes = [
        helper.make_node("Reshape", ["image", "rows.shape"], ["rows"], "/rows/Reshape"),
        helper.make_node("Transpose", ["rows"], ["steps"], "/steps/Transpose", perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "gru.W", "gru.R", "gru.B"], ["", "last"], "/gru/GRU", hidden_size=hidden,
                         linear_before_reset=1),
        helper.make_node("Reshape", ["last", "state.shape"], ["state"], "/state/Reshape"),
        helper.make_node("Gemm", ["state", "fc.weight", "fc.bias"], ["logits"], "/fc/Gemm", transB=1),
    ]
    graph = helper.make_graph(
        nodes, "digits_gru", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    return helper.make_model(graph, ir_version=7, producer_name="digits/train.py",
                             opset_imports=[helper.make_opsetid("", 13)])


def read_parameters(model):
    """The parameters of a model that `make_model` wrote, pruned or not."""
    values = onnx_model.values(model)
    parameters = {role: values[name] for role, name in INITIALIZERS.items() if name in values}
    expected = [node.SerializeToString() for node in make_model(parameters).graph.node] if len(parameters) == 5 else []
    if [node.SerializeToString() for node in model.graph.node] != expected:
        raise ValueError("the model is not the recurrent network of gru.py")
    return parameters


def train_dense(digits, epochs, seed):
    """A model trained from scratch, for `epochs` or as long as the committed one was."""
    parameters = initial_parameters(HIDDEN, np.random.default_rng(seed))
    train(parameters, digits, epochs or 120, 5e-3, seed)
    return make_model(parameters)


def retrain(model, digits, epochs, seed):
    """Trains the weights that a pruned model kept, in place."""
    parameters, masks = read_parameters(model), onnx_model.masks(model)
    train(parameters, digits, epochs or 400, 1e-2, seed,
          {role: masks[name] for role, name in INITIALIZERS.items() if name in masks})
    onnx_model.store(model, {INITIALIZERS[role]: value for role, value in parameters.items()})


def logits(model, images):
    return forward(read_parameters(model), images)[0]
