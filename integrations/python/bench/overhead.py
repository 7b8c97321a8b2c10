#!/usr/bin/env python3
"""Prints what a call costs: the smallest layer, a 1x1 convolution of one channel and one pixel, through Python."""
import timeit

import numpy as np

import lacuna


def main() -> None:
    conv = lacuna.Conv(lacuna.prune(np.ones((1, 1, 1, 1), np.float32), "dense"), input=1)
    gemv = lacuna.Gemv(lacuna.prune(np.ones((8, 8), np.float32), "dense"))
    pixel, vector = np.ones((1, 1, 1, 1), np.float32), np.ones(8, np.float32)
    y = np.empty_like(pixel)
    bound, bound_gemv = conv.bind(pixel, y), gemv.bind(vector)
    for name, call in (("conv, bound arrays", bound), ("conv(x, out)", lambda: conv(pixel, y)),
                       ("gemv 8 x 8, bound arrays", bound_gemv), ("gemv(x)", lambda: gemv(vector))):
        count = 20000
        seconds = sorted(timeit.repeat(call, number=count, repeat=7))
        low, middle, high = (1e6 * seconds[i] / count for i in (0, 3, 6))
        print(f"{name:26} {middle:6.2f} us a call ({low:.2f} to {high:.2f})")


main()
