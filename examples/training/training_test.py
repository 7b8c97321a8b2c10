#!/usr/bin/python3
"""sparse_training: schemes, methods, export. Trains the digit classifiers for some seconds."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
try:
    import onnx
    import sklearn  # pylint: disable=unused-import
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

import lacuna
import numpy as np
from onnx import numpy_helper
from torch import nn

import digits
import sparse_training
from digits_data import Digits

RUN = os.environ.get("LACUNA_RUN")


class SmallNet(nn.Module):
    """One module of every kind that is pruned."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.gru = nn.GRU(16, 20, bidirectional=True)
        self.tokens = nn.Linear(40, 16)
        self.fc = nn.Linear(16, 8)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).mean(3).permute(2, 0, 1)
        x = torch.relu(self.tokens(self.gru(x)[0]))
        return self.fc(x[-1])


SCHEMES = {"conv": "pattern-4x", "gru": "bcr-4x", "tokens": "bcr_col-4x", "fc": "unstructured-2x"}


class WeightsTest(unittest.TestCase):
    def test_projections_are_the_library_s(self):
        torch.manual_seed(1)
        conv = nn.Conv2d(8, 32, 3, groups=2)
        (weight,) = sparse_training.weights_of(nn.Sequential(conv), {"0": "bcr_col-4x"})
        expected = lacuna.prune(conv.weight.detach().numpy(), "bcr_col-4x", 2).to_dense()
        np.testing.assert_array_equal(weight.project().numpy().reshape(32, -1), expected)
        self.assertEqual(weight.mask(rate=2.0).sum(), conv.weight.numel() // 2)

    def test_gates_stand_in_the_order_of_onnx(self):
        torch.manual_seed(2)
        for module, order in ((nn.GRU(8, 5), (1, 0, 2)), (nn.LSTM(8, 5), (0, 3, 1, 2)), (nn.RNN(8, 5), (0,))):
            weights = sparse_training.weights_of(nn.Sequential(module), {"0": "bcr-4x"})
            self.assertEqual([w.name for w in weights], ["weight_ih_l0", "weight_hh_l0"])
            for weight in weights:
                gates = weight.parameter.detach().split(5)
                expected = lacuna.prune(torch.cat([gates[i] for i in order]).numpy(), "bcr-4x").to_dense()
                kept = weight.project().split(5)
                np.testing.assert_array_equal(torch.cat([kept[i] for i in order]).numpy(), expected)

    def test_masks_do_not_depend_on_zeros(self):
        weight = sparse_training.weights_of(nn.Sequential(nn.Linear(16, 16)), {"0": "bcr_col-4x"})[0]
        values = torch.zeros(16, 16)
        values[:, 0] = values[3, 1] = 1.0
        mask = weight.mask(values)
        self.assertTrue(mask[:, 0].all() and int(mask.sum()) == 64)
        self.assertEqual(int((weight.project(values) != 0).sum()), int((values * mask != 0).sum()))

    def test_errors(self):
        net = nn.Sequential(nn.Linear(16, 16), nn.ReLU())
        for schemes in ({"2": "bcr-4x"}, {"1": "bcr-4x"}, {"0": "bcr"}, {"0": "no_such-4x"}):
            with self.assertRaises(ValueError):
                sparse_training.weights_of(net, schemes)


class MethodsTest(unittest.TestCase):
    """On a problem with a known answer: a matrix of which only some columns matter."""

    def setUp(self):
        torch.manual_seed(3)
        torch.set_num_threads(1)
        self.true = torch.zeros(16, 64)
        self.true[:, ::8] = torch.randn(16, 8)
        self.x = torch.randn(256, 64)

    def train(self, make, epochs):
        layer = nn.Linear(64, 16, bias=False)
        method = make(sparse_training.weights_of(nn.Sequential(layer), {"0": "bcr_col-8x"}))
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
        for _ in range(epochs):
            for batch in self.x.split(32):
                optimizer.zero_grad()
                (layer(batch) - batch @ self.true.t()).square().mean().backward()
                optimizer.step()
                method.after_step(0.02)
            method.after_epoch()
        return layer, method

    def finds_the_columns(self, make, epochs=25):
        method = self.train(make, epochs)[1]
        ((_, mask),) = method.finish().kept
        self.assertTrue(torch.equal(mask, self.true != 0))
        return method

    def test_admm(self):
        method = self.finds_the_columns(lambda weights: sparse_training.Admm(weights, 25))
        self.assertLess(method.distance(), 1e-6)

    def test_admm_draws_weights_to_the_scheme(self):
        before = self.train(lambda weights: sparse_training.Admm(weights, 25), 3)[1].distance()
        after = self.train(lambda weights: sparse_training.Admm(weights, 25), 25)[1].distance()
        self.assertLess(after, before / 2)

    def test_reweighted(self):
        method = self.finds_the_columns(lambda weights: sparse_training.Reweighted(weights, 8.0))
        self.assertAlmostEqual(method.weights[0].rate, 8.0, delta=0.01)

    def test_during_training(self):
        self.finds_the_columns(lambda weights: sparse_training.DuringTraining(weights, 25))
        with self.assertRaises(RuntimeError):
            self.train(lambda weights: sparse_training.DuringTraining(weights, 25), 5)[1].finish()

    def test_rates_go_where_the_weights_are(self):
        net = nn.ModuleList([nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)])
        with torch.no_grad():
            net[0].weight[:, 8:] *= 1e-3
            net[1].weight[:, 48:] *= 1e-3
        for kind in ("block_8x1", "connectivity", "filter", "unstructured"):
            weights = sparse_training.weights_of(net, {"0": f"{kind}-2x", "1": f"{kind}-2x"})
            rates = sparse_training.Reweighted(weights, 2.28).rates()
            kept = sum(int(weight.mask(rate=rate).sum()) for weight, rate in zip(weights, rates))
            self.assertAlmostEqual(8192 / kept, 2.28, delta=0.2, msg=kind)
            if kind in ("block_8x1", "unstructured"):
                self.assertGreater(rates[0], 1.5 * rates[1], kind)

    def test_masked_weights_stay_zero_under_momentum(self):
        layer, masks = self.train(sparse_training.Masks.by_magnitude, 5)
        self.assertEqual(int((layer.weight != 0).sum()), 128)
        self.assertAlmostEqual(masks.rate(), 8.0)

    def test_distillation(self):
        logits = torch.zeros(4, 10, requires_grad=True)
        labels = torch.arange(4)
        teacher = 5 * torch.eye(10)[[3, 3, 3, 3]]
        sparse_training.distillation_loss(logits, labels, teacher, share=1.0).backward()
        self.assertTrue((logits.grad.argmin(1) == 3).all())
        alone = sparse_training.distillation_loss(logits, labels)
        self.assertAlmostEqual(float(alone), float(torch.log(torch.tensor(10.0))), places=5)


class ExportTest(unittest.TestCase):
    def test_metadata_and_zeros(self):
        torch.manual_seed(4)
        net = SmallNet().eval()
        net.norm.running_mean.normal_()
        net.norm.weight.data.normal_()
        masks = sparse_training.Masks.by_magnitude(sparse_training.weights_of(net, SCHEMES))
        x = torch.randn(1, 4, 6, 6)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.onnx")
            sparse_training.export_onnx(net, masks, x, path, input_names=["x"], output_names=["y"])
            model = onnx.load(path)
            entries = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
            zeros = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
            found = sorted((entry["scheme"], entry["taps"], int(np.count_nonzero(zeros[key[len("lacuna.scheme/"):]])))
                           for key, entry in entries.items())
            kept = {}
            for weight, mask in masks.kept:
                key = (weight.layer, weight.name.replace("_reverse", ""))
                kept[key] = kept.get(key, 0) + int(mask.sum())
            expected = sorted((SCHEMES[layer], 9 if layer == "conv" else 1, count)
                              for (layer, _), count in kept.items())
            self.assertEqual(found, expected)
            if RUN:
                given, expected = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
                np.save(given, x.numpy())
                np.save(expected, net(x).detach().numpy())
                result = subprocess.run([RUN, path, "--scheme", "stored", "--repeat", "1", "--input", given,
                                         "--expect", expected], capture_output=True, text=True, check=False)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                for scheme in SCHEMES.values():
                    self.assertIn(scheme, result.stdout)

    def test_errors(self):
        net = nn.Sequential(nn.Linear(16, 16))
        masks = sparse_training.Masks.by_magnitude(sparse_training.weights_of(net, {"0": "bcr_col-4x"}))
        with self.assertRaises(ValueError):
            sparse_training.export_onnx(nn.Sequential(nn.ReLU()), masks, torch.zeros(1, 16), os.devnull)
        net[0].weight.data.fill_(1.0)  # trained on without the masks
        with self.assertRaises(RuntimeError):
            sparse_training.export_onnx(net, masks, torch.zeros(1, 16), os.devnull)


class DigitsTest(unittest.TestCase):
    def test_every_method(self):
        network, trainer = digits.NETWORKS["cnn"], digits.Trainer(Digits(), share=0.1)
        dense = trainer.dense(network)
        self.assertGreater(trainer.accuracy(dense), 0.93)
        for method in digits.METHODS:
            net, masks = trainer.prune(network, dense, method, "bcr_col", 4)
            self.assertAlmostEqual(masks.rate(), 4, delta=0.01, msg=method)
            self.assertGreater(trainer.accuracy(net), 0.85, method)
            for weight, mask in masks.kept:
                self.assertEqual(float((weight.parameter * ~mask).detach().abs().max()), 0.0)


if __name__ == "__main__":
    unittest.main()
