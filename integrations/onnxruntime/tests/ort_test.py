#!/usr/bin/env python3
"""lacuna's operators inside ONNX Runtime, against ONNX Runtime's own on the same pruned weights, and lacuna-run.

Environment: LACUNA_PRUNE, LACUNA_RUN, LACUNA_OPERATORS (the library), LACUNA_ONNXRUNTIME (the engine's, optional).
"""

import os
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np

import engine

try:
    from onnx import TensorProto, helper, numpy_helper, save
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
if engine.library_path() is None:
    print("skipped: no ONNX Runtime; examples/models/fetch.sh --ort-only brings it")
    sys.exit(77)

OPERATORS = os.environ["LACUNA_OPERATORS"]
ENGINE = engine.Engine(engine.library_path())
RNG = np.random.default_rng(5)


def values(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def model(nodes, inputs, constants, outputs=("y",), opset=14):
    """`inputs` by name: extents, or an array of them for integers."""
    def described(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.INT32 if name == "lengths" else TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "test", [described(*item) for item in inputs.items()],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


def execute(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def prune(self, of, scheme):
        """The pruned model, that with operators of lacuna, and what lacuna-prune says of the latter."""
        save(of, self.path("dense.onnx"))
        execute(os.environ["LACUNA_PRUNE"], self.path("dense.onnx"), self.path("pruned.onnx"), "--scheme", scheme,
                "--layers", ".")
        said = execute(os.environ["LACUNA_PRUNE"], self.path("pruned.onnx"), self.path("custom.onnx"), "--scheme", "stored",
                       "--emit", "ort-custom")
        return self.path("pruned.onnx"), self.path("custom.onnx"), said

    def agrees(self, of, scheme, *arrays, operators=(), threads=1):
        pruned, custom, said = self.prune(of, scheme)
        for operator in operators:
            self.assertIn(operator, said)
        expected = engine.Session(ENGINE, pruned).run(*arrays)
        got = engine.Session(ENGINE, custom, OPERATORS, threads).run(*arrays)
        for a, b in zip(expected, got):
            np.testing.assert_allclose(b, a, rtol=0, atol=2e-5 * max(1, np.abs(a).max()))
        return said


class OperatorsTest(Files):
    def test_convolutions(self):
        for rank, group, extra in ((2, 1, {"pads": [1, 2, 0, 1], "strides": [2, 1]}), (1, 1, {"dilations": [2]}),
                                   (3, 1, {"pads": [1] * 6}), (2, 2, {"pads": [1] * 4}), (2, 1, {"auto_pad": "VALID"})):
            w, x = values(16, 8 // group, *[3] * rank), values(2, 8, *[9, 8, 7][:rank])
            node = helper.make_node("Conv", ["x", "w", "b"], ["y"], "layer", group=group, kernel_shape=[3] * rank, **extra)
            self.agrees(model([node], {"x": x.shape}, {"w": w, "b": values(16)}), "bcr_col-4x", x,
                        operators=["lacuna.Conv"])
        self.agrees(model([helper.make_node("Conv", ["x", "w"], ["y"], "layer")], {"x": (1, 8, 5, 5)},
                          {"w": values(16, 8, 3, 3)}), "pattern-4x", values(1, 8, 5, 5), operators=["lacuna.Conv"])

    def test_activations_become_part_of_the_layer(self):
        scalar = lambda value: np.array(value, np.float32)
        for op, inputs, attributes in (("Relu", [], {}), ("LeakyRelu", [], {"alpha": 0.3}), ("Sigmoid", [], {}),
                                       ("Tanh", [], {}), ("HardSwish", [], {}), ("Clip", ["low", "high"], {}),
                                       ("Clip", ["low"], {})):
            nodes = [helper.make_node("Conv", ["x", "w"], ["c"], "layer"),
                     helper.make_node(op, ["c", *inputs], ["y"], "activation", **attributes)]
            self.agrees(model(nodes, {"x": (1, 8, 6, 6)}, {"w": values(16, 8, 3, 3), "low": scalar(-0.5),
                                                           "high": scalar(1.5)}),
                        "punched-2x", values(1, 8, 6, 6), operators=[f"lacuna.Conv + {op}"])
        # One that something else reads, too, stays.
        nodes.append(helper.make_node("Add", ["c", "y"], ["z"]))
        said = self.agrees(model(nodes, {"x": (1, 8, 6, 6)}, {"w": values(16, 8, 3, 3), "low": scalar(0)}, ["z"]),
                           "punched-2x", values(1, 8, 6, 6))
        self.assertNotIn("+ Clip", said)

    def test_products(self):
        for rows in (1, 3, 50):
            x = values(rows, 32)
            for transposed in (0, 1):
                w = values(16, 32) if transposed else values(32, 16)
                node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], "layer", transB=transposed, alpha=0.5, beta=2.0)
                self.agrees(model([node], {"x": x.shape}, {"w": w, "b": values(16)}), "bcr_col-4x", x,
                            operators=["lacuna.Gemm"])
        nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], "layer"), helper.make_node("Relu", ["m"], ["y"])]
        self.agrees(model(nodes, {"x": (2, 5, 32)}, {"w": values(32, 16)}), "unstructured-4x", values(2, 5, 32),
                    operators=["lacuna.Gemm + Relu"])

    def test_gru(self):
        for direction, directions in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            constants = {"w": values(directions, 48, 24), "r": values(directions, 48, 16), "b": values(directions, 96)}
            options = {"direction": direction, "hidden_size": 16, "linear_before_reset": 1}
            x, h, lengths = values(7, 3, 24), values(directions, 3, 16), np.array([7, 4, 1], np.int32)
            inputs = {"x": x.shape, "lengths": lengths.shape, "h": h.shape}
            node = helper.make_node("GRU", ["x", "w", "r", "b", "lengths", "h"], ["y", "last"], "layer", **options)
            self.agrees(model([node], inputs, constants, ["y", "last"]), "bcr-4x", x, lengths, h,
                        operators=["lacuna.GRU"])
            node = helper.make_node("GRU", ["x", "w", "r"], ["", "last"], "layer", direction=direction, hidden_size=16)
            self.agrees(model([node], {"x": x.shape}, constants, ["last"]), "bcr_col-4x", x, operators=["lacuna.GRU"])

    def test_what_cannot_become_an_operator_is_left_and_said(self):
        cases = [(helper.make_node("Conv", ["x", "w"], ["y"], "layer", auto_pad="SAME_UPPER"), (1, 8, 5, 5), (16, 8, 3, 3),
                  "auto_pad"),
                 (helper.make_node("Gemm", ["x", "w"], ["y"], "layer", transA=1), (32, 4), (32, 16), "transA"),
                 (helper.make_node("RNN", ["x", "w", "r"], ["y"], "layer", hidden_size=16), (3, 1, 8), (1, 16, 8), "RNN")]
        for node, x_shape, w_shape, why in cases:
            said = self.agrees(model([node], {"x": x_shape}, {"w": values(*w_shape), "r": values(1, 16, 16)}),
                               "unstructured-2x", values(*x_shape))
            self.assertIn(f"left to ONNX Runtime: ", said)
            self.assertIn(why, said)

    def test_extents_that_change_threads_and_concurrent_runs(self):
        nodes = [helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1] * 4),
                 helper.make_node("GlobalAveragePool", ["c"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
                 helper.make_node("Gemm", ["f", "g"], ["y"], "product", transB=1)]
        of = model(nodes, {"x": ("n", 8, "h", "w")}, {"w": values(32, 8, 3, 3), "g": values(16, 32)})
        pruned, custom, _ = self.prune(of, "bcr_col-4x")
        plain, one = engine.Session(ENGINE, pruned), engine.Session(ENGINE, custom, OPERATORS)
        two = engine.Session(ENGINE, custom, OPERATORS, threads=2)
        arrays = [values(n, 8, h, w) for n, h, w in ((1, 9, 9), (3, 20, 5), (6, 4, 4), (1, 9, 9))]
        expected = [one.run(x)[0] for x in arrays]
        for x, y in zip(arrays, expected):
            np.testing.assert_allclose(y, plain.run(x)[0], rtol=0, atol=1e-4)
            np.testing.assert_array_equal(two.run(x)[0], y)
        wrong = []

        def work(x, y):
            wrong.extend(1 for _ in range(20) if not np.array_equal(one.run(x)[0], y))

        workers = [threading.Thread(target=work, args=pair) for pair in zip(arrays, expected)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(wrong, [])

    def refuses(self, text, node, inputs, constants, *arrays):
        of = model([node], inputs, constants)
        of.opset_import.add(domain="lacuna", version=1)
        save(of, self.path("custom.onnx"))
        with self.assertRaisesRegex(engine.EngineError, text):
            engine.Session(ENGINE, self.path("custom.onnx"), OPERATORS).run(*arrays)

    def test_errors(self):
        def conv(**attributes):
            return helper.make_node("Conv", ["x", "w"], ["y"], "layer", domain="lacuna", **attributes)
        x, w = {"x": (1, 8, 5, 5)}, {"w": values(16, 8, 3, 3)}
        self.refuses('scheme is "bcr_row"', conv(scheme="bcr_row-8x"), x, w)
        self.refuses('activation is "swish"', conv(activation="swish"), x, w)
        self.refuses("strides, dilations and pads", conv(strides=[1]), x, w)
        self.refuses("must be a constant", conv(), {**x, "w": (16, 8, 3, 3)}, {})
        self.refuses("X has 4 channels, must have 8", conv(), {"x": (1, 4, 5, 5)}, w, values(1, 4, 5, 5))
        self.refuses("X has 3 axes, must have 4", conv(), {"x": (1, 8, 5)}, w, values(1, 8, 5))
        self.refuses("padded input has only 2", conv(), {"x": (1, 8, 2, 5)}, w, values(1, 8, 2, 5))
        gemm = helper.make_node("Gemm", ["x", "w"], ["y"], "layer", domain="lacuna")
        self.refuses("must have the extent 32", gemm, {"x": (4, 16)}, {"w": values(32, 16)}, values(4, 16))
        gru = helper.make_node("GRU", ["x", "w", "w"], ["y"], "layer", domain="lacuna")
        self.refuses("3 \\* hidden_size rows", gru, {"x": (4, 1, 16)}, {"w": values(1, 32, 16)}, values(4, 1, 16))


class DigitsTest(Files):
    def test_as_lacuna_run(self):
        x = RNG.random((1, 1, 8, 8)).astype(np.float32)
        np.save(self.path("x.npy"), x)
        for name in ("pattern-8x", "bcr_col-8x", "punched-8x", "gru_bcr-10x"):
            pruned = os.path.join(engine.ROOT, "examples", "digits", f"digits_{name}.onnx")
            execute(os.environ["LACUNA_PRUNE"], pruned, self.path("custom.onnx"), "--scheme", "stored", "--emit",
                    "ort-custom")
            (y,) = engine.Session(ENGINE, self.path("custom.onnx"), OPERATORS).run(x)
            np.save(self.path("y.npy"), y)
            execute(os.environ["LACUNA_RUN"], pruned, "--scheme", "stored", "--repeat", "1", "--input",
                    self.path("x.npy"), "--expect", self.path("y.npy"))


if __name__ == "__main__":
    unittest.main()
