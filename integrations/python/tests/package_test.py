"""The package lacuna, against loops of NumPy."""

import doctest
import importlib
import os
import pkgutil
import tempfile
import threading
import unittest

import numpy as np

import lacuna

RNG = np.random.default_rng(7)


def integers(*shape):
    """Small integers: sums of products are exact."""
    return RNG.integers(-4, 5, shape).astype(np.float32)


def convolve(weights, x, stride, padding, dilation, groups):
    """The definition of a convolution of any rank; padding is a pair for each axis."""
    rank = x.ndim - 2
    kernel = weights.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), *padding])
    out = [(padded.shape[2 + a] - (kernel[a] - 1) * dilation[a] - 1) // stride[a] + 1 for a in range(rank)]
    y = np.zeros((x.shape[0], weights.shape[0], *out), np.float64)
    per_group = weights.shape[0] // groups
    channels = weights.shape[1]
    for tap in np.ndindex(*kernel):
        window = tuple(slice(tap[a] * dilation[a], tap[a] * dilation[a] + (out[a] - 1) * stride[a] + 1, stride[a])
                       for a in range(rank))
        for g in range(groups):
            rows = slice(g * per_group, (g + 1) * per_group)
            part = padded[(slice(None), slice(g * channels, (g + 1) * channels), *window)]
            y[:, rows] += np.einsum("oc,nc...->no...", weights[(rows, slice(None), *tap)], part)
    return y


class Doctests(unittest.TestCase):
    def test_examples(self):
        attempted = 0
        for name in ["lacuna"] + [f"lacuna.{module.name}" for module in pkgutil.iter_modules(lacuna.__path__)]:
            if name.endswith("._lacuna"):
                continue
            result = doctest.testmod(importlib.import_module(name))
            self.assertEqual(result.failed, 0, name)
            attempted += result.attempted
        self.assertGreater(attempted, 30)


class WeightsTest(unittest.TestCase):
    def test_units_live_or_die_whole(self):
        shape, groups = (20, 6, 3, 3), 2
        dense = RNG.normal(size=shape).astype(np.float32)
        for scheme in ("unstructured-4x", "bcr_col-4x", "bcr_kernel-2x", "punched-3x", "block_4x4-2x", "filter-2x",
                       "connectivity-2x"):
            kept = lacuna.prune(dense, scheme, groups).to_dense().reshape(-1) != 0
            number = lacuna.units(shape, scheme, groups).numbers(shape, groups).reshape(-1)
            alive, size = np.bincount(number, kept), np.bincount(number)
            self.assertTrue(((alive == 0) | (alive == size)).all(), scheme)
            self.assertTrue(0 < (alive > 0).sum() < len(size), scheme)
        self.assertEqual(lacuna.units(shape, "pattern-8x").cells, 4)
        self.assertTrue(lacuna.units(shape, "bcr-4x").rows)
        with self.assertRaises(lacuna.InvalidArgumentError):
            lacuna.units(shape, "dense")
        with self.assertRaises(lacuna.InvalidArgumentError):
            lacuna.units((8,), "bcr-4x")

    def test_files(self):
        dense = integers(16, 8, 3, 3)
        for scheme in ("dense", "unstructured-4x", "pattern-4x", "bcr_col-4x", "block_4x4-2x"):
            weights = lacuna.prune(dense, scheme)
            self.assertEqual((weights.shape, weights.groups, weights.kernel), ((16, 72), 1, (3, 3)))
            kept = weights.to_dense()
            self.assertEqual(np.count_nonzero(kept), np.count_nonzero(kept * dense.reshape(16, 72)))
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "weights.blob")
                weights.save(path)
                for read in (lacuna.load(path, (3, 3)), lacuna.map_file(path, (3, 3)),
                             lacuna.from_buffer(weights.to_blob(), (3, 3))):
                    self.assertEqual(read.format, weights.format)
                    np.testing.assert_array_equal(read.to_dense(), kept)
                    conv = lacuna.Conv(read, input=6)
                    del read  # the plan keeps what it needs
                    y = conv(np.ones((1, 8, 6, 6), np.float32))
                    self.assertEqual(y.shape, (1, 16, 4, 4))
                packed = weights.pack()
                self.assertEqual((packed.format, packed.target), ("packed", lacuna.target()))
                packed.save(path)
                conv = lacuna.Conv(lacuna.map_file(path, (3, 3)), input=6)
                np.testing.assert_array_equal(conv(np.ones((1, 8, 6, 6), np.float32)), y)

    def test_errors(self):
        dense = integers(16, 8)
        with self.assertRaisesRegex(TypeError, "weights has dtype float64, must be float32"):
            lacuna.prune(dense.astype(np.float64), "dense")
        with self.assertRaisesRegex(TypeError, "weights is of type list"):
            lacuna.prune([1.0], "dense")
        with self.assertRaisesRegex(lacuna.InvalidArgumentError, "weights has 1 axes, must have at least 2"):
            lacuna.prune(dense[0], "dense")
        with self.assertRaisesRegex(ValueError, "has no rate"):
            lacuna.cover(dense, "bcr_col")
        with self.assertRaisesRegex(FileNotFoundError, "cannot read /no/such/file"):
            lacuna.load("/no/such/file")
        with self.assertRaisesRegex(lacuna.UnsupportedError, "weights are packed"):
            lacuna.prune(dense, "dense").pack().to_dense()
        blob = lacuna.prune(dense, "dense").to_blob()
        blob[100] ^= 1
        with self.assertRaisesRegex(lacuna.DataLossError, "damaged"):
            lacuna.from_buffer(blob)


class ConvTest(unittest.TestCase):
    def check(self, scheme, x_shape, w_shape, stride, padding, dilation, groups):
        weights = lacuna.prune(integers(*w_shape), scheme, groups)
        kept = weights.to_dense().reshape(w_shape)
        x, bias = integers(*x_shape), integers(w_shape[0])
        expected = convolve(kept, x, stride, padding, dilation, groups)
        expected += bias.reshape(-1, *[1] * (len(x_shape) - 2))
        residual = integers(*expected.shape)
        conv = lacuna.Conv(weights, input=x_shape[2:], batch=x_shape[0], stride=stride, padding=padding,
                           dilation=dilation, bias=bias, activation="relu", residual=True)
        self.assertEqual(conv.output_shape, expected.shape)
        expected = np.maximum(expected + residual, 0).astype(np.float32)
        np.testing.assert_array_equal(conv(x, residual=residual), expected)
        # Channels innermost, and a part of something larger; in place.
        last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
        larger = np.full((x_shape[0], w_shape[0] + 3, *expected.shape[2:]), 77, np.float32)
        part = larger[:, 2:-1]
        part[...] = residual
        self.assertIs(conv(last, out=part, residual=part), part)
        np.testing.assert_array_equal(part, expected)
        self.assertTrue((larger[:, :2] == 77).all() and (larger[:, -1] == 77).all())
        out = conv(last, residual=residual)
        np.testing.assert_array_equal(out, expected)
        if x_shape[1] > 1 and np.prod(out.shape[2:]) > 1 and x_shape[-1] > 1:
            self.assertEqual(out.strides[1], 4)
        with lacuna.ThreadPool(3) as threads:
            np.testing.assert_array_equal(conv(x, residual=residual, threads=threads), expected)

    def test_layers(self):
        for scheme in ("dense", "unstructured-4x", "pattern-4x", "bcr_col-4x"):
            self.check(scheme, (1, 8, 9, 11), (16, 8, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
            self.check(scheme, (2, 8, 9, 11), (16, 4, 3, 3), (2, 1), ((0, 1), (2, 1)), (1, 2), 2)
            self.check(scheme, (1, 8, 4, 5, 6), (8, 8, 3, 3, 3), (1, 1, 1), ((1, 1),) * 3, (1, 1, 1), 1)
            self.check(scheme, (3, 4, 30), (9, 4, 5), (1,), ((2, 2),), (1,), 1)

    def test_reshape(self):
        weights = lacuna.prune(integers(16, 8, 3, 3), "bcr_col-4x")
        kept = weights.to_dense().reshape(16, 8, 3, 3)
        conv = lacuna.Conv(weights, input=(6, 6), padding=1)
        other = conv.reshape((13, 20), batch=2)
        del conv
        x = integers(2, 8, 13, 20)
        np.testing.assert_array_equal(other(x), convolve(kept, x, (1, 1), ((1, 1), (1, 1)), (1, 1), 1))

    def test_winograd(self):
        weights = lacuna.prune(RNG.normal(size=(32, 32, 3, 3)).astype(np.float32), "dense")
        conv = lacuna.Conv(weights, input=(24, 24), padding=1, winograd=True)
        self.assertIn("winograd", conv.explain())
        x = RNG.normal(size=(1, 32, 24, 24)).astype(np.float32)
        direct = lacuna.Conv(weights, input=(24, 24), padding=1)
        np.testing.assert_allclose(conv(x), direct(x), atol=0.01)

    def test_bound(self):
        conv = lacuna.Conv(lacuna.prune(integers(8, 8, 3, 3), "bcr_col-2x"), input=(6, 6))
        x = integers(1, 8, 6, 6)
        run = conv.bind(x)
        first = run().copy()
        np.testing.assert_array_equal(first, conv(x))
        x *= 2
        np.testing.assert_array_equal(run(), 2 * first)

    def test_repeated_calls_look_at_their_arrays_again(self):
        weights = lacuna.prune(integers(8, 8, 3, 3), "bcr_col-4x")
        conv = lacuna.Conv(weights, input=6, padding=1)
        arrays = [integers(1, 8, 6, 6) for _ in range(3)]
        arrays += [integers(1, 6, 6, 8).transpose(0, 3, 1, 2), integers(1, 16, 12, 6)[:, ::2, ::2]]
        for _ in range(2):
            for x in arrays:
                expected = convolve(weights.to_dense().reshape(8, 8, 3, 3), x, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
                np.testing.assert_array_equal(conv(x), expected)
                for out in (np.empty((1, 8, 6, 6), np.float32), np.empty((1, 8, 12, 6), np.float32)[:, :, ::2]):
                    self.assertIs(conv(x, out), out)
                    np.testing.assert_array_equal(out, expected)
        fixed = np.empty((1, 8, 6, 6), np.float32)
        fixed.flags.writeable = False
        for x in (arrays[0], arrays[4]):
            with self.assertRaisesRegex(lacuna.InvalidArgumentError, "read-only"):
                conv(x, fixed)
        for wrong in (arrays[0].astype(np.float64), [1.0]):
            with self.assertRaises(TypeError):
                conv(wrong, fixed)
            with self.assertRaises(TypeError):
                conv(arrays[0], wrong)
        gemm = lacuna.Gemm(lacuna.prune(np.eye(8, dtype=np.float32), "dense"), n=40)
        for count in range(1, 40):  # more layouts than are kept
            rows = integers(count, 8)
            np.testing.assert_array_equal(gemm(rows), rows)

    def test_many_threads(self):
        conv = lacuna.Conv(lacuna.prune(integers(16, 16, 3, 3), "bcr_col-2x"), input=(20, 20))
        xs = [integers(1, 16, 20, 20) for _ in range(4)]
        expected = [conv(x) for x in xs]
        got = [None] * 4

        def run(i):
            for _ in range(10):
                got[i] = conv(xs[i])

        threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(4):
            np.testing.assert_array_equal(got[i], expected[i])

    def test_closed_pool_still_computes(self):
        conv = lacuna.Conv(lacuna.prune(integers(16, 16, 3, 3), "bcr_col-2x"), input=(20, 20))
        x = integers(1, 16, 20, 20)
        pool = lacuna.ThreadPool(3)
        pool.close()
        np.testing.assert_array_equal(conv(x, threads=pool), conv(x))

    def test_errors(self):
        weights = lacuna.prune(integers(8, 8, 3, 3), "dense")
        conv = lacuna.Conv(weights, input=6)
        x = integers(1, 8, 6, 6)
        refused = [
            (lambda: lacuna.Conv(weights, input=2), ValueError, r"shape.kernel\[0\] reaches over 3 inputs"),
            (lambda: lacuna.Conv(weights, input=(6, 6, 6)), ValueError, "input has 3 values, must have 2"),
            (lambda: lacuna.Conv(weights, input=6, padding=(1,)), ValueError, "padding has 1 values, must have 2"),
            (lambda: lacuna.Conv(weights, input=6, kernel=(5, 5)), ValueError, "must be the extents of kernels"),
            (lambda: lacuna.Conv(weights, input=6, kernel=()), ValueError, "must be the extents of kernels"),
            (lambda: lacuna.Conv(weights, input=6, bias=[1.0]), ValueError, "epilogue.bias has 1 values"),
            (lambda: lacuna.Conv(weights, input=6, activation="gelu"), ValueError, 'activation is "gelu", must be'),
            (lambda: conv(x[:, :, :5]), ValueError, r"x.extent\[2\] is 5, must be 6"),
            (lambda: conv(x[0]), ValueError, "x has 3 axes, must have 4"),
            (lambda: conv(x.astype(np.float16)), TypeError, "x has dtype float16"),
            (lambda: conv(x[..., ::-1]), ValueError, r"x.stride\[3\] is -1, must be at least 1"),
            (lambda: conv(x, out=integers(1, 8, 4, 5)), ValueError, r"y.extent\[3\] is 5, must be 4"),
            (lambda: conv(x, residual=x), ValueError, "residual is given, the plan was made with residual=False"),
            (lambda: conv(x, out=np.broadcast_to(np.float32(0), (1, 8, 4, 4))), ValueError, "out is read-only"),
            (lambda: conv(np.zeros((1, 8, 6, 25), np.int8)[..., 1:].view(np.float32)[..., :6]), ValueError,
             "must be multiples of 4"),
            (lambda: conv.reshape((6, 6, 6)), ValueError, "input has 3 values"),
            (lambda: conv.reshape((0, 6)), ValueError, r"shape.input\[0\] is 0"),
            (lambda: lacuna.ThreadPool(0), ValueError, "threads is 0, must be at least 1"),
        ]
        for call, error, text in refused:
            with self.subTest(text):
                with self.assertRaisesRegex(error, text):
                    call()


class ProductsTest(unittest.TestCase):
    def test_products(self):
        for scheme in ("dense", "unstructured-4x", "bcr-4x", "block_8x1-2x"):
            weights = lacuna.prune(integers(24, 40), scheme)
            kept = weights.to_dense()
            x, bias, residual = integers(13, 40), integers(24), integers(13, 24)
            expected = np.maximum(x @ kept.T + bias + residual, 0)
            gemm = lacuna.Gemm(weights, n=13, bias=bias, activation="relu", residual=True)
            np.testing.assert_array_equal(gemm(x, residual=residual), expected)
            np.testing.assert_array_equal(gemm(x[:5], residual=residual[:5]), expected[:5])
            # [K, N] activations: a transposed view.
            np.testing.assert_array_equal(gemm(np.ascontiguousarray(x.T).T, residual=residual), expected)
            of_packed = lacuna.Gemm(weights.pack(), n=1, bias=bias, activation="relu", residual=True).reshape(13)
            np.testing.assert_array_equal(of_packed(x, residual=residual), expected)
            gemv = lacuna.Gemv(weights, bias=bias, activation="relu", residual=True)
            np.testing.assert_array_equal(gemv(x[0], residual=residual[0]), expected[0])
            np.testing.assert_array_equal(gemv(x[:3], residual=residual[:3]), expected[:3])
            self.assertIn("24 x 40", gemv.explain())
            self.assertIn("24 x 40", gemm.explain())

    def test_errors(self):
        weights = lacuna.prune(integers(24, 40), "bcr_col-4x")
        gemm, gemv = lacuna.Gemm(weights, n=4), lacuna.Gemv(weights)
        with self.assertRaisesRegex(ValueError, r"x.columns is 5, must be in \[1, 4\]"):
            gemm(integers(5, 40))
        with self.assertRaisesRegex(ValueError, "x is 39 x 1, must be 40 x 1"):
            gemv(integers(39))
        with self.assertRaisesRegex(ValueError, "x has 3 axes, must have 1 or 2"):
            gemv(integers(1, 2, 40))
        with self.assertRaisesRegex(lacuna.UnsupportedError, "must be of a format for a GEMV"):
            lacuna.Gemv(weights.pack())


class RecurrentTest(unittest.TestCase):
    def test_gru_is_the_formula(self):
        hidden, inputs, steps = 16, 12, 9
        w, r = (lacuna.prune(RNG.normal(0, 0.3, (3 * hidden, n)).astype(np.float32), "bcr_col-2x")
                for n in (inputs, hidden))
        bias = RNG.normal(0, 0.3, 6 * hidden)
        x = RNG.normal(size=(steps, 1, inputs)).astype(np.float32)
        gru = lacuna.Gru(w, r, bias=bias, linear_before_reset=True, steps=4)
        y, last = gru(x)
        h = np.zeros(hidden)
        for t in range(steps):
            a = w.to_dense() @ x[t, 0] + bias[: 3 * hidden]
            b = r.to_dense() @ h + bias[3 * hidden :]
            z, reset = (1 / (1 + np.exp(-(a + b)[g * hidden : (g + 1) * hidden])) for g in (0, 1))
            h = (1 - z) * np.tanh(a[2 * hidden :] + reset * b[2 * hidden :]) + z * h
            np.testing.assert_allclose(y[t, 0, 0], h, atol=1e-5)
        # Cut into two runs, by threads.
        with lacuna.ThreadPool(2) as threads:
            first, state = gru(x[:4], threads=threads)
            second, state = gru(x[4:], h=state, threads=threads)
        np.testing.assert_array_equal(np.concatenate([first, second]), y)
        np.testing.assert_array_equal(state, last)
        self.assertEqual(len(gru.explain().splitlines()), 2)

    def test_bidirectional_lstm_is_two(self):
        hidden, inputs = 8, 6
        ws, rs = ([lacuna.prune(RNG.normal(0, 0.3, (4 * hidden, n)).astype(np.float32), "dense") for _ in range(2)]
                  for n in (inputs, hidden))
        x = RNG.normal(size=(5, 3, inputs)).astype(np.float32)
        y, h, c = lacuna.Lstm(ws, rs, direction="bidirectional", batch=3)(x, lengths=[5, 2, 0])
        for d, direction in enumerate(("forward", "reverse")):
            one, h1, c1 = lacuna.Lstm(ws[d], rs[d], direction=direction, batch=3)(x, lengths=[5, 2, 0])
            np.testing.assert_array_equal(y[:, d], one[:, 0])
            np.testing.assert_array_equal(h[d], h1[0])
            np.testing.assert_array_equal(c[d], c1[0])
        self.assertEqual(float(abs(y[2:, :, 1]).max()), 0.0)

    def test_errors(self):
        w, r = (lacuna.prune(integers(24, n), "dense") for n in (4, 8))
        refused = [
            (lambda: lacuna.Gru(w, r, direction="both"), 'direction is "both"'),
            (lambda: lacuna.Gru([w, w], r), "w has 2 directions and r 1"),
            (lambda: lacuna.Gru([w, w], [r, r]), "directions is 2, must be 1"),
            (lambda: lacuna.Gru(w, r, activations=("Sine",)), 'activation is "Sine"'),
            (lambda: lacuna.Gru(w, r, activations=("Tanh",) * 4), "activations has 4 names"),
            (lambda: lacuna.Lstm(w, r), "recurrent weights"),
            (lambda: lacuna.Gru(w, r)(integers(5, 1, 3)), r"x.extent\[2\] is 3"),
            (lambda: lacuna.Gru(w, r)(integers(5, 4)), "x has 2 axes, must have 3"),
            (lambda: lacuna.Gru(w, r)(integers(5, 1, 4), h=integers(1, 2, 8)), "h has the extents"),
            (lambda: lacuna.Gru(w, r)(integers(5, 1, 4), lengths=[6]), r"lengths\[0\] is 6"),
        ]
        for call, text in refused:
            with self.subTest(text):
                with self.assertRaisesRegex(ValueError, text):
                    call()


if __name__ == "__main__":
    unittest.main()
