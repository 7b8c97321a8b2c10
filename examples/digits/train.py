#!/usr/bin/python3
"""Trains the digit classifiers of this folder and retrains them after pruning.

    train.py dense OUT.onnx [--network gru]   train from scratch, write the dense model
    train.py retrain IN.onnx OUT.onnx         train what a pruned model kept, write the same graph
    train.py accuracy MODEL.onnx...           classify the held-out images

Data: the UCI handwritten digits as installed with scikit-learn, 1,797 images of 8 x 8 pixels in 0..16. Images whose
index is a multiple of 5 (360 of them) are held out: nothing is trained on them, and no epoch is chosen by them; the
last epoch is what is written. The folder's README says where they were looked at.

Networks: a convolutional one (cnn.py, PyTorch) and a recurrent one (gru.py, NumPy).

Models: ONNX opset 13, input `image` [batch, 1, 8, 8] = pixel / 16, output `logits` [batch, 10].
"""

import argparse
import importlib
import os
import sys

# One thread: a second run on the same machine writes the same bytes. The BLAS of NumPy reads this when it is loaded.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import onnx_model
from digits_data import Digits

NETWORKS = ("cnn", "gru")


def network(name):
    """Its module, loaded when it is needed: only cnn.py takes PyTorch."""
    return importlib.import_module(name)


def network_of(model):
    return network("gru" if any(node.op_type == "GRU" for node in model.graph.node) else "cnn")


def report(label, model, digits):
    correct = int((network_of(model).logits(model, digits.test_images).argmax(1) == digits.test_labels).sum())
    count = len(digits.test_labels)
    print(f"{label}: {correct} of {count} held-out images, {100 * correct / count:.2f} %", flush=True)


def run_dense(arguments):
    digits = Digits()
    model = network(arguments.network).train_dense(digits, arguments.epochs, arguments.seed)
    report(arguments.output, model, digits)
    onnx_model.save(model, arguments.output)


def run_retrain(arguments):
    digits = Digits()
    model = onnx_model.load(arguments.input)
    masks = onnx_model.masks(model)
    if not masks:
        raise ValueError(f"{arguments.input}: no weight is zero, nothing was pruned")
    for name, mask in masks.items():
        print(f"{name}: {int(mask.sum())} of {mask.size} weights kept, {mask.size / mask.sum():.2f}x")
    report(f"{arguments.input} before retraining", model, digits)
    network_of(model).retrain(model, digits, arguments.epochs, arguments.seed)
    report(arguments.output, model, digits)
    onnx_model.save(model, arguments.output)


def run_accuracy(arguments):
    digits = Digits()
    for path in arguments.models:
        report(path, onnx_model.load(path), digits)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Trains the digit classifiers and retrains them after pruning.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--epochs", type=int, help="passes over the training images (default: cnn 60 dense, 100 "
                         "retrain; gru 120 dense, 400 retrain)")
    options.add_argument("--seed", type=int, default=0)
    dense = commands.add_parser("dense", parents=[options], help="train the dense model from scratch")
    dense.add_argument("output", metavar="OUT.onnx")
    dense.add_argument("--network", choices=NETWORKS, default="cnn")
    dense.set_defaults(run=run_dense)
    retrain = commands.add_parser("retrain", parents=[options], help="train the weights that a pruned model kept")
    retrain.add_argument("input", metavar="IN.onnx")
    retrain.add_argument("output", metavar="OUT.onnx")
    retrain.set_defaults(run=run_retrain)
    accuracy = commands.add_parser("accuracy", help="classify the held-out images")
    accuracy.add_argument("models", metavar="MODEL.onnx", nargs="+")
    accuracy.set_defaults(run=run_accuracy)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    try:
        arguments.run(arguments)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"train.py: {error}")


if __name__ == "__main__":
    main()
