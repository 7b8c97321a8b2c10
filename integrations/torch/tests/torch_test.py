"""lacuna_torch, against PyTorch itself."""

import copy
import doctest
import os
import tempfile
import unittest

import torch
from torch import nn

import lacuna_torch
from lacuna_torch import conversion, modules

SCHEMES = ("dense", "unstructured-4x", "pattern-4x", "bcr_col-4x")


def pruned_dense(converted, original):
    """The weights that a converted layer computes with, found by asking it for unit inputs."""
    with torch.no_grad():
        if isinstance(original, nn.Linear):
            weight = converted(torch.eye(original.in_features)).t()
            return weight - (original.bias[:, None] if original.bias is not None else 0)
    raise TypeError(type(original))


class Doctests(unittest.TestCase):
    def test_examples(self):
        attempted = 0
        for module in (lacuna_torch, conversion, modules):
            result = doctest.testmod(module)
            self.assertEqual(result.failed, 0)
            attempted += result.attempted
        self.assertGreaterEqual(attempted, 5)


class LayersTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(3)

    def assert_close(self, a, b, tolerance=1e-4):
        self.assertEqual(a.shape, b.shape)
        self.assertLess(float((a - b).abs().max()), tolerance)

    def check_conv(self, conv, x, converted_type):
        """Kept weights: outputs are those of PyTorch. Pruned ones: those of the pruned convolution."""
        with torch.no_grad():
            expected = conv(x)
            layer = converted_type(conv, "dense", prune=False)
            self.assert_close(layer(x), expected)
            for scheme in SCHEMES:
                sparse = converted_type(conv, scheme)
                self.assert_close(self.masked(conv, sparse, x), sparse(x))
            relu = converted_type(conv, "dense", activation="relu")
            residual = torch.randn_like(expected)
            self.assert_close(relu(x, residual), torch.relu(expected + residual))

    @staticmethod
    def masked(conv, sparse, x):
        """conv with the weights that `sparse` kept: those of its state, which NumPy's package would read, by response
        to unit inputs of a kernel's size."""
        probe = copy.deepcopy(conv)
        channels = conv.in_channels // conv.groups
        taps = conv.weight[0, 0].numel()
        kernel = conv.weight.shape[2:]
        with torch.no_grad():
            unit = type(sparse).__new__(type(sparse))
            nn.Module.__init__(unit)
            state = list(sparse.get_extra_state())
            rank = len(kernel)
            state[2] = [rank, 0, *kernel, *[1] * rank, *[0] * (2 * rank), *[1] * rank]
            unit.layer = sparse.layer
            unit.set_extra_state(tuple(state))
            images = torch.zeros(channels * taps, conv.in_channels, *kernel)
            for i in range(channels * taps):
                for g in range(conv.groups):
                    images[i, g * channels + i // taps].view(-1)[i % taps] = 1
            bias = conv.bias if conv.bias is not None else torch.zeros(conv.out_channels)
            weight = unit(images).flatten(1) - bias  # [channels * taps, out_channels]
            probe.weight.copy_(weight.t().reshape(conv.weight.shape))
            # What is kept is kept as it is.
            kept = probe.weight.abs() > 1e-6
            assert float((probe.weight - conv.weight)[kept].abs().max()) < 1e-5
            return probe(x)

    def test_conv2d(self):
        self.check_conv(nn.Conv2d(8, 16, 3, padding=1), torch.randn(2, 8, 9, 11), lacuna_torch.Conv2d)
        self.check_conv(nn.Conv2d(8, 16, (3, 5), stride=2, dilation=(1, 2), groups=2, padding=(0, 3), bias=False),
                        torch.randn(1, 8, 19, 21), lacuna_torch.Conv2d)
        self.check_conv(nn.Conv2d(8, 8, 4, padding="same"), torch.randn(1, 8, 9, 9), lacuna_torch.Conv2d)
        self.check_conv(nn.Conv2d(12, 12, 3, groups=12), torch.randn(1, 12, 9, 9), lacuna_torch.Conv2d)

    def test_conv3d(self):
        self.check_conv(nn.Conv3d(4, 8, 3, padding=1), torch.randn(1, 4, 5, 6, 7), lacuna_torch.Conv3d)

    def test_layouts(self):
        conv = nn.Conv2d(8, 16, 3)
        layer = lacuna_torch.Conv2d(conv, "dense")
        x = torch.randn(2, 8, 9, 9)
        with torch.no_grad():
            last = layer(x.contiguous(memory_format=torch.channels_last))
            self.assertTrue(last.is_contiguous(memory_format=torch.channels_last))
            self.assertTrue(layer(x).is_contiguous())
            self.assert_close(last, conv(x))
            part = torch.randn(2, 12, 9, 20)[:, 2:10, :, 3:12]  # strides of something larger
            self.assert_close(layer(part), conv(part))
            expanded = torch.randn(2, 8, 9, 1).expand(2, 8, 9, 9)
            self.assert_close(layer(expanded), conv(expanded))

    def test_extents_may_change(self):
        conv = nn.Conv2d(8, 16, 3)
        layer = lacuna_torch.Conv2d(conv, "dense")
        with torch.no_grad():
            for shape in ((1, 8, 9, 9), (3, 8, 9, 9), (1, 8, 20, 7), (1, 8, 9, 9)):
                x = torch.randn(shape)
                self.assert_close(layer(x), conv(x))

    def test_linear(self):
        linear = nn.Linear(40, 24)
        for scheme in ("dense", "unstructured-4x", "bcr_col-4x"):
            layer = lacuna_torch.Linear(linear, scheme, activation="relu")
            weight = pruned_dense(lacuna_torch.Linear(linear, scheme), linear)
            with torch.no_grad():
                for shape in ((40,), (1, 40), (3, 40), (17, 40), (2, 5, 40), (0, 40)):
                    x = torch.randn(shape)
                    expected = torch.relu(x @ weight.t() + linear.bias)
                    self.assertEqual(layer(x).shape, expected.shape)
                    if x.numel():
                        self.assert_close(layer(x), expected)
                columns = torch.randn(40, 17).t()
                self.assert_close(layer(columns), torch.relu(columns @ weight.t() + linear.bias))
        self.assertEqual(lacuna_torch.Linear(linear, "bcr_col-4x").stored(), 40 * 24 // 4)

    def test_max_pool(self):
        x = torch.randn(2, 20, 9, 13)
        x[0, 3, 4, 5], x[1, 2, 0, 0] = float("nan"), -float("inf")
        for pool in (nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d((3, 2), (1, 3), (1, 0)), nn.MaxPool2d(9, 1, 4)):
            mine = lacuna_torch.MaxPool2d(pool)
            for given in (x, x.contiguous(memory_format=torch.channels_last), x[:, ::2]):
                expected = pool(given)
                self.assertTrue(torch.equal(mine(given).nan_to_num(7), expected.nan_to_num(7)), pool)
                self.assertTrue(torch.equal(torch.jit.script(mine)(given).nan_to_num(7), expected.nan_to_num(7)))
        for pool in (nn.MaxPool2d(2, dilation=2), nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, return_indices=True)):
            with self.assertRaises(ValueError):
                lacuna_torch.MaxPool2d(pool)
        with self.assertRaises(RuntimeError):
            lacuna_torch.MaxPool2d(nn.MaxPool2d(3))(torch.ones(1, 1, 2, 2))
        model = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2))
        converted = lacuna_torch.convert(model, "bcr_col-4x", keep=lambda name, module: name == "2")
        self.assertEqual([type(m) for m in converted.children()], [lacuna_torch.MaxPool2d, nn.MaxPool2d, nn.MaxPool2d])

    def test_gru(self):
        for layers in (1, 2):
            for both in (False, True):
                for batch_first in (False, True):
                    gru = nn.GRU(12, 16, layers, bidirectional=both, batch_first=batch_first, bias=not batch_first)
                    layer = lacuna_torch.GRU(gru, "unstructured-1x", prune=False)
                    x = torch.randn(5, 3, 12)
                    h = torch.randn(layers * (2 if both else 1), 5 if batch_first else 3, 16)
                    with torch.no_grad():
                        for state in (None, h):
                            y, last = layer(x, state)
                            expected, expected_last = gru(x, state)
                            self.assert_close(y, expected)
                            self.assert_close(last, expected_last)
                        y, last = layer(x[0])
                        expected, expected_last = gru(x[0])
                        self.assert_close(y, expected)
                        self.assert_close(last, expected_last)

    def test_gru_is_pruned(self):
        gru = nn.GRU(64, 64)
        layer = lacuna_torch.GRU(gru, "bcr_col-8x")
        self.assertEqual(layer.layers[0].stored(), 2 * 3 * 64 * 64 // 8)

    def test_threads(self):
        conv = nn.Conv2d(16, 32, 3, padding=1)
        layer = lacuna_torch.Conv2d(conv, "bcr_col-4x")
        x = torch.randn(1, 16, 40, 40)
        threads = torch.get_num_threads()
        with torch.no_grad():
            expected = layer(x)
            torch.set_num_threads(4)
            try:
                self.assertTrue(torch.equal(layer(x), expected))
            finally:
                torch.set_num_threads(threads)

    def test_errors(self):
        conv, linear = nn.Conv2d(8, 16, 3), nn.Linear(40, 24)
        layer, fc = lacuna_torch.Conv2d(conv, "dense"), lacuna_torch.Linear(linear, "dense")
        gru = lacuna_torch.GRU(nn.GRU(12, 16), "dense")
        x = torch.randn(1, 8, 9, 9)
        refused = [
            (lambda: layer(x.clone().requires_grad_()), "lacuna::conv2d has no gradient"),
            (lambda: fc(torch.randn(3, 40, requires_grad=True)), "lacuna::linear has no gradient"),
            (lambda: gru(torch.randn(3, 1, 12, requires_grad=True)), "lacuna::gru has no gradient"),
            (lambda: layer(x.double()), "dtype Double, must be float32"),
            (lambda: layer(x.to("meta")), "is on meta, must be on the CPU"),
            (lambda: torch.ops.lacuna.conv2d(x.to("meta"), layer.layer), "Could not run 'lacuna::conv2d'"),
            (lambda: layer(x[0]), "the input has 3 axes"),
            (lambda: layer(x[:, :7]), "the input has 7 channels, must have 8"),
            (lambda: layer(x[..., :2]), "reaches over 3 inputs"),
            (lambda: layer(x, x), "residual.extent"),
            (lambda: torch.ops.lacuna.conv3d(x, layer.layer), "lacuna::conv3d: the input has 4 axes"),
            (lambda: fc(torch.randn(3, 39)), "the last one must be 40"),
            (lambda: gru(torch.randn(3, 1, 13)), "the input has the extents"),
            (lambda: gru(torch.randn(3, 1, 12), torch.zeros(1, 2, 16)), "h has the extents"),
            (lambda: lacuna_torch.Conv2d(conv, "bcr_row-8x"), 'scheme is "bcr_row"'),
            (lambda: lacuna_torch.Conv2d(conv, "dense", activation="gelu"), 'activation is "gelu"'),
            (lambda: lacuna_torch.Linear(linear, "bcr_col"), "has no rate"),
            (lambda: lacuna_torch.Conv2d(nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), "dense"),
             "padding_mode"),
        ]
        for call, text in refused:
            with self.subTest(text):
                with self.assertRaisesRegex((RuntimeError, ValueError), text):
                    call()
        with torch.no_grad():  # asked for nowhere
            layer(x.clone().requires_grad_())


class Block(nn.Module):
    """As in ResNet."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.down = None
        if stride != 1 or channels != out:
            self.down = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU6())
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2))
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        return torch.log_softmax(self.fc(self.blocks(self.stem(x)).mean((2, 3))), 1)


class Branching(nn.Module):
    """What torch.fx cannot trace."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3)

    def forward(self, x):
        return self.conv(x) if x.sum() > 0 else self.conv(-x)


def network():
    torch.manual_seed(5)
    net = Net().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias)
    return net


class ConvertTest(unittest.TestCase):
    def assert_same(self, a, b):
        self.assertLess(float((a - b).abs().max()), 1e-4)

    def test_outputs_are_the_models(self):
        net, x = network(), torch.randn(2, 3, 20, 20)
        with torch.no_grad():
            for options in ({}, {"example": x}, {"fuse": False}, {"winograd": True, "example": x}):
                sparse = lacuna_torch.convert(net, "unstructured-1x", prune=False, **options)
                self.assert_same(sparse(x), net(x))
                last = sparse(x.contiguous(memory_format=torch.channels_last))
                self.assert_same(last, net(x))

    def test_everything_is_fused(self):
        net, x = network(), torch.randn(1, 3, 20, 20)
        sparse = lacuna_torch.convert(net, "bcr_col-4x", example=x)
        kinds = [type(module).__name__ for module in sparse.modules()]
        self.assertEqual(kinds.count("Conv2d"), 6)
        self.assertFalse({"BatchNorm2d", "ReLU", "ReLU6"} & set(kinds))
        self.assertFalse([n for n in sparse.graph.nodes if n.op == "call_function" and "add" in str(n.target)])
        # The first convolution is dense, the others keep a quarter.
        convs = [module for module in sparse.modules() if isinstance(module, lacuna_torch.Conv2d)]
        self.assertEqual(convs[0].stored(), 16 * 3 * 9)
        self.assertEqual(convs[1].stored(), 16 * 16 * 9 // 4)
        # Without shapes, additions stay.
        plain = lacuna_torch.convert(net, "bcr_col-4x")
        self.assertTrue([n for n in plain.graph.nodes if n.op == "call_function" and "add" in str(n.target)])

    def test_the_model_stays(self):
        net, x = network(), torch.randn(1, 3, 20, 20)
        with torch.no_grad():
            before = net(x)
            lacuna_torch.convert(net, "bcr_col-4x")
            self.assertTrue(torch.equal(net(x), before))

    def test_keep_and_first(self):
        net = network()
        sparse = lacuna_torch.convert(net, "bcr_col-4x", first=True, keep=lambda name, _: name.startswith("blocks.1"))
        self.assertEqual(type(sparse.get_submodule("blocks.1.conv1")), nn.Conv2d)
        self.assertEqual(type(sparse.get_submodule("blocks.0.conv1")), lacuna_torch.Conv2d)
        self.assertLess(sparse.get_submodule("stem.0").stored(), 16 * 3 * 9)

    def test_what_cannot_be_traced_is_swapped(self):
        net, x = Branching(), torch.randn(1, 4, 8, 8)
        sparse = lacuna_torch.convert(net, "unstructured-1x", prune=False)
        self.assertEqual(type(sparse.conv), lacuna_torch.Conv2d)
        with torch.no_grad():
            self.assert_same(sparse(x), net(x))

    def test_state_dict(self):
        net, x = network(), torch.randn(1, 3, 20, 20)
        sparse = lacuna_torch.convert(net, "bcr_col-4x", example=x)
        torch.manual_seed(6)
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.reset_parameters()
        other = lacuna_torch.convert(net, "bcr_col-4x", example=x)
        with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
            expected = sparse(x)
            self.assertFalse(torch.allclose(other(x), expected))
            path = os.path.join(folder, "state.pt")
            torch.save(sparse.state_dict(), path)
            other.load_state_dict(torch.load(path))
            self.assertTrue(torch.equal(other(x), expected))
            torch.save(net.state_dict(), os.path.join(folder, "dense.pt"))
            self.assertLess(os.path.getsize(path), os.path.getsize(os.path.join(folder, "dense.pt")))

    def test_torchscript(self):
        net, x = network(), torch.randn(1, 3, 20, 20)
        sparse = lacuna_torch.convert(net, "bcr_col-4x", example=x)
        gru = lacuna_torch.convert(nn.Sequential(nn.GRU(12, 16, 2, bidirectional=True)), "bcr_col-2x")
        with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
            for name, module, example in (("net", sparse, x), ("gru", gru, torch.randn(5, 1, 12))):
                for make in (torch.jit.script, lambda m: torch.jit.trace(m, example)):
                    path = os.path.join(folder, name + ".pt")
                    make(module).save(path)
                    loaded = torch.jit.load(path)
                    expected, got = module(example), loaded(example)
                    if name == "gru":
                        expected, got = expected[0], got[0]
                    self.assertTrue(torch.equal(got, expected))

    def test_explain(self):
        layer = lacuna_torch.Conv2d(nn.Conv2d(8, 16, 3), "bcr_col-4x")
        with self.assertRaisesRegex(RuntimeError, "has no plan before its first run"):
            layer.layer.explain()
        with torch.no_grad():
            layer(torch.randn(1, 8, 9, 9))
        self.assertIn("16 x 72", layer.layer.explain())

    def test_damaged_state(self):
        layer = lacuna_torch.Conv2d(nn.Conv2d(8, 16, 3), "bcr_col-4x")
        blob, *rest = layer.get_extra_state()
        blob = blob.clone()
        blob[200] += 1
        with self.assertRaisesRegex(RuntimeError, "the bytes are damaged"):
            layer.set_extra_state((blob, *rest))


if __name__ == "__main__":
    unittest.main()
