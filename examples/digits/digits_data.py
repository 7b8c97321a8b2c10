#!/usr/bin/python3
"""The UCI handwritten digits and what training does to them.

    digits_data.py OUT.npz [--count N] [--held-out]   writes images [N, 1, 8, 8] as `image`, classes as `labels`
"""

import argparse
import math

import numpy as np
from sklearn.datasets import load_digits

CLASSES = 10
HELD_OUT_EVERY = 5


class Digits:
    """Images as [count, 1, 8, 8] floats in 0..1 and their labels, training and held-out part."""

    def __init__(self):
        data = load_digits()
        images = data.images.astype(np.float32)[:, np.newaxis] / 16
        labels = data.target.astype(np.int64)
        held_out = np.arange(len(labels)) % HELD_OUT_EVERY == 0
        self.train_images, self.train_labels = images[~held_out], labels[~held_out]
        self.test_images, self.test_labels = images[held_out], labels[held_out]


def augment(images, generator):
    """Shifts up to one pixel, rotates up to 10 degrees and scales up to 10 %, each image on its own.

    Interpolates between pixels; outside the image is 0. `generator` is NumPy's.
    """
    count, _, height, width = images.shape

    def uniform(limit):
        return generator.uniform(-limit, limit, (count, 1, 1))

    angle, scale = uniform(math.radians(10)), 1 + uniform(0.1)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    # Where each pixel comes from, in an image with a border of one pixel that takes what lies outside.
    from_x = np.clip(cos * x - sin * y + uniform(1) + (width + 1) / 2, 0, width + 1 - 1e-6)
    from_y = np.clip(sin * x + cos * y + uniform(1) + (height + 1) / 2, 0, height + 1 - 1e-6)
    left, top = from_x.astype(np.int64), from_y.astype(np.int64)
    right_part, bottom_part = from_x - left, from_y - top
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    image = np.arange(count)[:, np.newaxis, np.newaxis]

    def row(y):
        return (1 - right_part) * padded[image, y, left] + right_part * padded[image, y, left + 1]

    result = (1 - bottom_part) * row(top) + bottom_part * row(top + 1)
    return result.astype(images.dtype)[:, np.newaxis]


def main():
    parser = argparse.ArgumentParser(description="Writes digits for lacuna-prune --calibrate and lacuna-frontier.")
    parser.add_argument("output", metavar="OUT.npz")
    parser.add_argument("--count", type=int, help="the first so many (default: all)")
    parser.add_argument("--held-out", action="store_true", help="of those that nothing is trained on")
    arguments = parser.parse_args()
    digits = Digits()
    images = digits.test_images if arguments.held_out else digits.train_images
    labels = digits.test_labels if arguments.held_out else digits.train_labels
    np.savez(arguments.output, image=images[:arguments.count], labels=labels[:arguments.count])


if __name__ == "__main__":
    main()
