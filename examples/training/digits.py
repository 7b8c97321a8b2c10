#!/usr/bin/python3
"""Prunes the digit classifiers of examples/digits with training, by every method of sparse_training.

    digits.py compare [--schemes A,B] [--methods ...] [--rates 8,16] [--csv FILE]   a table of held-out accuracy
    digits.py prune METHOD SCHEME OUT.onnx [--network gru]                          one network, as an ONNX file

Methods: admm, reweighted, during (during the one training, from scratch), projected (pruned at once, by magnitude). All
but `during` start from the dense network and end in masked retraining with distillation from it; `during` has no
network to learn from. No epoch is chosen by the held-out images: what the last one leaves is judged.
"""

import argparse
import copy
import csv
import math
import os
import sys
import time

# One thread: a second run on the same machine gives the same network.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "digits"))

import torch
from torch import nn

import sparse_training
from cnn import DigitNet, augment, make_reproducible
from digits_data import CLASSES, Digits

BATCH = 64
METHODS = ("projected", "admm", "reweighted", "during")
SCHEMES = ("unstructured", "pattern", "pattern_g4", "bcr", "bcr_col", "bcr_kernel", "punched", "block_8x1",
           "connectivity", "filter")


class DigitGru(nn.Module):
    """A GRU reads an image row by row, and its last state is classified."""

    def __init__(self, hidden=128):
        super().__init__()
        self.gru = nn.GRU(8, hidden)
        self.fc = nn.Linear(hidden, CLASSES)

    def forward(self, image):
        return self.fc(self.gru(image.squeeze(1).transpose(0, 1))[1].squeeze(0))


class Network:
    """How one of the classifiers is trained: what is pruned, for how long, how fast."""

    def __init__(self, make, layers, epochs, prune_epochs, retrain_epochs, rate):
        self.make, self.layers = make, layers
        self.epochs, self.prune_epochs, self.retrain_epochs = epochs, prune_epochs, retrain_epochs
        self.rate = rate  # of learning, at the beginning


NETWORKS = {
    "cnn": Network(DigitNet, ["conv2", "conv3", "conv4", "conv5"], 60, 20, 40, 3e-3),
    "gru": Network(DigitGru, ["gru"], 120, 60, 300, 5e-3),
}


class Trainer:
    """Digits, and the loop that any of the methods is put into."""

    def __init__(self, digits, seed=0, share=1.0):
        """`share` of the usual epochs."""
        self.images, self.labels = torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels)
        self.test_images, self.test_labels = torch.from_numpy(digits.test_images), torch.from_numpy(digits.test_labels)
        self.seed, self.share = seed, share

    def epochs(self, usual):
        return max(2, round(usual * self.share))

    def train(self, net, epochs, rate, method=None, teacher=None):
        """AdamW with cosine decay; `method` is called behind every step and epoch."""
        generator = torch.Generator().manual_seed(self.seed)
        optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
        steps = epochs * math.ceil(len(self.labels) / BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        net.train()
        for _ in range(epochs):
            for batch in torch.randperm(len(self.labels), generator=generator).split(BATCH):
                images, labels = augment(self.images[batch], generator), self.labels[batch]
                said = None
                if teacher is not None:
                    with torch.no_grad():
                        said = teacher(images)
                loss = sparse_training.distillation_loss(net(images), labels, said)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if method is not None:
                    method.after_step(schedule.get_last_lr()[0])
                schedule.step()
            if method is not None:
                method.after_epoch()
        return net.eval()

    @torch.no_grad()
    def accuracy(self, net):
        return float((net(self.test_images).argmax(1) == self.test_labels).float().mean())

    def dense(self, network):
        make_reproducible(self.seed)
        return self.train(network.make(), self.epochs(network.epochs), network.rate)

    def prune(self, network, dense, method_name, kind, rate):
        """A network pruned by a method, and its masks."""
        make_reproducible(self.seed)
        schemes = dict.fromkeys(network.layers, f"{kind}-{rate:g}x")
        if method_name == "during":
            net = network.make()
            epochs = self.epochs(network.epochs)
            method = sparse_training.DuringTraining(sparse_training.weights_of(net, schemes), epochs)
            self.train(net, epochs, network.rate, method)
            return net, method.finish()
        net = copy.deepcopy(dense)
        weights = sparse_training.weights_of(net, schemes)
        if method_name == "projected":
            masks = sparse_training.Masks.by_magnitude(weights)
            self.train(net, self.epochs(network.prune_epochs + network.retrain_epochs), network.rate, masks, dense)
            return net, masks
        epochs = self.epochs(network.prune_epochs)
        method = (sparse_training.Admm(weights, epochs) if method_name == "admm" else
                  sparse_training.Reweighted(weights, rate))
        self.train(net, epochs, network.rate, method, dense)
        masks = method.finish()
        self.train(net, self.epochs(network.retrain_epochs), network.rate, masks, dense)
        return net, masks


def run_compare(arguments):
    network, trainer = NETWORKS[arguments.network], Trainer(Digits(), arguments.seed, arguments.share)
    begin = time.process_time()
    dense = trainer.dense(network)
    dense_seconds = time.process_time() - begin
    count = len(trainer.test_labels)
    print(f"dense: {100 * trainer.accuracy(dense):.2f} % of {count}, trained in {dense_seconds:.0f} s", flush=True)
    rows, seconds = [], {method: [] for method in arguments.methods}
    print("scheme          rate  " + "".join(f"{method:>19}" for method in arguments.methods))
    for kind in arguments.schemes:
        for rate in arguments.rates:
            line = f"{kind:15} {rate:4g}x  "
            for method in arguments.methods:
                begin = time.process_time()
                net, masks = trainer.prune(network, dense, method, kind, rate)
                took = time.process_time() - begin + (0 if method == "during" else dense_seconds)
                seconds[method].append(took)
                accuracy = trainer.accuracy(net)
                rows.append([kind, rate, method, round(masks.rate(), 3), round(100 * accuracy, 2), round(took, 1)])
                line += f"{100 * accuracy:9.2f} % {masks.rate():5.1f}x "
            print(line, flush=True)
    print("seconds of CPU, dense training included: " +
          ", ".join(f"{method} {sum(values) / len(values):.0f}" for method, values in seconds.items()))
    if arguments.csv:
        with open(arguments.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["scheme", "rate", "method", "kept_rate", "accuracy", "seconds"])
            writer.writerow(["dense", 1, "dense", 1, round(100 * trainer.accuracy(dense), 2), round(dense_seconds, 1)])
            writer.writerows(rows)


def run_prune(arguments):
    network, trainer = NETWORKS[arguments.network], Trainer(Digits(), arguments.seed, arguments.share)
    kind, _, rate = arguments.scheme.rpartition("-")
    if not kind or not rate.endswith("x"):
        raise ValueError(f'SCHEME is "{arguments.scheme}", must be a scheme and a rate, as "bcr_col-8x"')
    dense = None if arguments.method == "during" else trainer.dense(network)
    if dense is not None:
        print(f"dense: {100 * trainer.accuracy(dense):.2f} %")
    net, masks = trainer.prune(network, dense, arguments.method, kind, float(rate[:-1]))
    for weight, mask in masks.kept:
        print(f"{weight.layer}.{weight.name}: {weight.scheme}, {int(mask.sum())} of {mask.numel()} weights kept")
    print(f"{arguments.output}: {100 * trainer.accuracy(net):.2f} %")
    names = {"input_names": ["image"], "output_names": ["logits"],
             "dynamic_axes": {"image": {0: "batch"}, "logits": {0: "batch"}}}
    sparse_training.export_onnx(net, masks, torch.zeros(1, 1, 8, 8), arguments.output, **names)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--network", choices=NETWORKS, default="cnn")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--share", type=float, default=1.0, help="of the usual epochs, for a quick look")
    listed = lambda kind: lambda text: [kind(part) for part in text.split(",")]
    compare = commands.add_parser("compare", parents=[options], help="print a table of methods, schemes and rates")
    compare.add_argument("--schemes", type=listed(str), default=list(SCHEMES))
    compare.add_argument("--methods", type=listed(str), default=list(METHODS))
    compare.add_argument("--rates", type=listed(float), default=[8.0, 16.0])
    compare.add_argument("--csv", help="also write the table to this file")
    compare.set_defaults(run=run_compare)
    prune = commands.add_parser("prune", parents=[options], help="prune one network and write it")
    prune.add_argument("method", choices=METHODS)
    prune.add_argument("scheme", metavar="SCHEME")
    prune.add_argument("output", metavar="OUT.onnx")
    prune.set_defaults(run=run_prune)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    try:
        arguments.run(arguments)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"digits.py: {error}")


if __name__ == "__main__":
    main()
