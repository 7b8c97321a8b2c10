"""The convolutional network, in PyTorch: trained from scratch, and retrained from an ONNX graph."""

import io
import math

import onnx
import torch
from torch import nn
from torch.nn import functional

import onnx_model

BATCH = 64


class DigitNet(nn.Module):
    """Five 3x3 convolutions, two of them inside a residual connection."""

    def __init__(self):
        super().__init__()
        channels = [1, 16, 32, 32, 64, 64]
        for i in range(1, 6):
            setattr(self, f"conv{i}", nn.Conv2d(channels[i - 1], channels[i], 3, padding=1, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(channels[i]))
        self.pool1 = nn.MaxPool2d(2)
        self.pool2 = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(64, 10)

    def forward(self, image):
        x = torch.relu(self.bn1(self.conv1(image)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = torch.relu(self.bn3(self.conv3(x)) + x)
        x = self.pool1(x)
        x = torch.relu(self.bn4(self.conv4(x)))
        x = torch.relu(self.bn5(self.conv5(x)) + x)
        return self.fc(self.flatten(self.pool2(x)))

    def fold_batch_norm(self):
        """Moves every normalization into its convolution, so that the exported weights keep the layers' names."""
        self.eval()
        for i in range(1, 6):
            conv, norm = getattr(self, f"conv{i}"), getattr(self, f"bn{i}")
            setattr(self, f"conv{i}", nn.utils.fusion.fuse_conv_bn_eval(conv, norm))
            setattr(self, f"bn{i}", nn.Identity())


class OnnxNet(nn.Module):
    """An ONNX graph of convolutional layers with its float initializers as parameters.

    An initializer of a Conv or a Gemm that holds zeros is masked: those entries stay zero, whatever scheme put them
    there.
    """

    def __init__(self, model):
        super().__init__()
        self.graph = model.graph
        self.params = nn.ParameterDict()
        self.keys = {}
        self.masks = {name: torch.from_numpy(mask) for name, mask in onnx_model.masks(model).items()}
        layer_inputs = {name for node in self.graph.node if node.op_type in ("Conv", "Gemm") for name in node.input[1:]}
        for index, (name, value) in enumerate(onnx_model.values(model).items()):
            if name not in layer_inputs:
                raise ValueError(f"initializer '{name}': only the inputs of Conv and Gemm can be trained")
            self.keys[name] = f"p{index}"
            self.params[f"p{index}"] = nn.Parameter(torch.from_numpy(value))
        self.norms = nn.ModuleDict()
        self.normalized = False
        initializers = set(self.keys)
        self.input = next(value.name for value in self.graph.input if value.name not in initializers)
        self.output = self.graph.output[0].name

    def parameter(self, name):
        return self.params[self.keys[name]]

    def forward(self, image):
        values = {self.input: image}
        for node in self.graph.node:
            if node.op_type not in OPERATORS:
                raise ValueError(f"node '{node.name}': operator {node.op_type} cannot be trained")
            inputs = [self.parameter(name) if name in self.keys else values[name] for name in node.input]
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            result = OPERATORS[node.op_type](attributes, *inputs)
            if node.op_type == "Conv" and self.normalized:
                result = self.normalize(node, result)
            values[node.output[0]] = result
        return values[self.output]

    def normalize(self, node, x):
        key = self.keys[node.input[1]]
        if key not in self.norms:
            norm = nn.BatchNorm2d(x.shape[1]).eval()
            norm.running_mean.copy_(x.mean((0, 2, 3)))
            norm.running_var.copy_(x.var((0, 2, 3)))
            norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
            norm.bias.copy_(norm.running_mean)
            self.norms[key] = norm
        return self.norms[key](x)

    @torch.no_grad()
    def add_batch_norm(self, images):
        """Puts a normalization behind every Conv that changes nothing yet: it undoes its own statistics over `images`.

        Pruning shrinks and shifts what a layer passes on. Without normalization the 8x bcr_col model came back to 95 %
        only, with it (and a learning rate of 3e-3 for 2e-3) to 99 %, on a fifth of the training images as validation.
        """
        self.normalized = True
        self.eval()
        self(images)

    @torch.no_grad()
    def fold_batch_norm(self):
        """The inverse of add_batch_norm: scales each filter and its bias. Zeros stay zeros."""
        for node in self.graph.node:
            if node.op_type != "Conv":
                continue
            if len(node.input) < 3:
                raise ValueError(f"node '{node.name}': a Conv without bias cannot take the folded normalization")
            norm = self.norms[self.keys[node.input[1]]]
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            self.parameter(node.input[1]).mul_(scale.view(-1, 1, 1, 1))
            bias = self.parameter(node.input[2])
            bias.copy_((bias - norm.running_mean) * scale + norm.bias)
        self.norms.clear()
        self.normalized = False

    def mask_gradients(self):
        for name, mask in self.masks.items():
            self.parameter(name).grad.mul_(mask)

    def values(self):
        return {name: self.parameter(name).detach().numpy() for name in self.keys}


def convolution(attributes, x, weight, bias=None):
    pads = attributes.get("pads", [0, 0, 0, 0])
    x = functional.pad(x, (pads[1], pads[3], pads[0], pads[2]))
    return functional.conv2d(x, weight, bias, attributes.get("strides", 1), 0, attributes.get("dilations", 1),
                             attributes.get("group", 1))


def max_pool(attributes, x):
    if any(attributes.get("pads", [])) or attributes.get("ceil_mode", 0):
        raise ValueError("MaxPool: pads and ceil_mode are not supported")
    return functional.max_pool2d(x, attributes["kernel_shape"], attributes.get("strides", 1))


def gemm(attributes, a, b, c):
    a = a.t() if attributes.get("transA", 0) else a
    b = b.t() if attributes.get("transB", 0) else b
    return attributes.get("alpha", 1.0) * (a @ b) + attributes.get("beta", 1.0) * c


OPERATORS = {
    "Conv": convolution,
    "Gemm": gemm,
    "MaxPool": max_pool,
    "Relu": lambda _, x: torch.relu(x),
    "Add": lambda _, x, y: x + y,
    "GlobalAveragePool": lambda _, x: x.mean((2, 3), keepdim=True),
    "Flatten": lambda attributes, x: x.flatten(attributes.get("axis", 1)),
}


def augment(images, generator):
    """Shifts up to one pixel, rotates up to 10 degrees and scales up to 10 %, each image on its own."""
    count = len(images)

    def uniform(limit):
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle, scale = uniform(math.radians(10)), 1 + uniform(0.1)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = 2 / images.shape[-1]  # one pixel, in the -1..1 coordinates of affine_grid
    matrix = torch.stack([torch.stack([cos, -sin, uniform(shift)], 1), torch.stack([sin, cos, uniform(shift)], 1)], 1)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def train(net, digits, epochs, rate, seed, after_backward=lambda: None):
    """AdamW with cosine decay to zero over `epochs`; the model after the last epoch is the result."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
    images, labels = torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels)
    count = len(labels)
    steps = epochs * math.ceil(count / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for batch in torch.randperm(count, generator=generator).split(BATCH):
            logits = net(augment(images[batch], generator))
            loss = functional.cross_entropy(logits, labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            after_backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        if (epoch + 1) % 10 == 0 or epoch + 1 == epochs:
            print(f"epoch {epoch + 1}/{epochs}: training loss {total / count:.4f}", flush=True)
    net.eval()


def make_reproducible(seed):
    """One thread and fixed seeds: a second run on the same machine writes the same bytes."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def train_dense(digits, epochs, seed):
    """A model trained from scratch, for `epochs` or as long as the committed one was."""
    make_reproducible(seed)
    net = DigitNet()
    train(net, digits, epochs or 60, 3e-3, seed)
    net.fold_batch_norm()
    file = io.BytesIO()
    batch = {0: "batch"}
    torch.onnx.export(net, torch.zeros(1, 1, 8, 8), file, opset_version=13, input_names=["image"],
                      output_names=["logits"], dynamic_axes={"image": batch, "logits": batch})
    return onnx.load_from_string(file.getvalue())


def retrain(model, digits, epochs, seed):
    """Trains the weights that a pruned model kept, in place."""
    make_reproducible(seed)
    net = OnnxNet(model)
    net.add_batch_norm(torch.from_numpy(digits.train_images))
    train(net, digits, epochs or 100, 3e-3, seed, net.mask_gradients)
    net.fold_batch_norm()
    onnx_model.store(model, net.values())


@torch.no_grad()
def logits(model, images):
    make_reproducible(0)
    return OnnxNet(model)(torch.from_numpy(images)).numpy()
