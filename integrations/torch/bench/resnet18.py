#!/usr/bin/env python3
"""Times ResNet-18 of random weights in PyTorch and converted, on one thread, and a GRU; says how far outputs are apart.

Usage: resnet18.py [--scheme bcr_col-8x] [--repeat 15] [--threads 1]
The same network in C++: lacuna-run resnet18 --scheme SCHEME. PyTorch is taken at its best: frozen, optimised for
inference, the faster of both layouts. Engines take turns; medians are printed with their range.
"""
import argparse
import time

import torch
from torch import nn

import lacuna_torch


class Block(nn.Module):
    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        self.down = None
        if stride != 1 or channels != out:
            self.down = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.down is None else self.down(x)))


def resnet18() -> nn.Module:
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for out in (64, 128, 256, 512):
        layers += [Block(channels, out, 1 if out == 64 else 2), Block(out, out, 1)]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).eval()


def pruned_twin(model: nn.Module, scheme: str, example: torch.Tensor) -> nn.Module:
    """`model` with the weights that convert keeps, so that outputs can be compared: layer by layer, by masking what is
    far from the response of the sparse layer to unit inputs."""
    sparse = lacuna_torch.convert(model, scheme, fuse=False)
    for (_, dense), (_, kept) in zip(model.named_modules(), sparse.named_modules()):
        if isinstance(kept, lacuna_torch.Conv2d):
            channels, taps, kernel = dense.in_channels, dense.weight[0, 0].numel(), tuple(dense.weight.shape[2:])
            blob, bias, _, activation, numbers = kept.get_extra_state()
            unit = torch.ops.lacuna.conv_of(blob, bias, [2, 0, *kernel, 1, 1, 0, 0, 0, 0, 1, 1], activation, numbers)
            for begin in range(0, channels, 64):
                count = min(64, channels - begin)
                images = torch.zeros(count * taps, channels, *kernel)
                index = torch.arange(count * taps)
                images.view(count * taps, channels, taps)[index, begin + index // taps, index % taps] = 1
                response = torch.ops.lacuna.conv2d(images, unit).flatten(1).t().reshape(-1, count, *kernel)
                dense.weight[:, begin : begin + count] *= (response.abs() > 0).float()
        elif isinstance(kept, lacuna_torch.Linear):
            bias = dense.bias if dense.bias is not None else 0
            response = (kept(torch.eye(dense.in_features)) - bias).t()
            dense.weight *= (response.abs() > 1e-7).float()
    return model


def timed(engines: dict, repeat: int) -> dict:
    """Milliseconds of every engine, taking turns."""
    times = {name: [] for name in engines}
    for turn in range(repeat + 3):
        for name, run in engines.items():
            begin = time.perf_counter()
            run()
            if turn >= 3:
                times[name].append(1e3 * (time.perf_counter() - begin))
    return {name: sorted(values) for name, values in times.items()}


def report(title: str, times: dict) -> None:
    best = min(values[len(values) // 2] for name, values in times.items() if name.startswith("torch"))
    for name, values in times.items():
        median = values[len(values) // 2]
        print(f"{title:9} {name:24} {median:8.2f} ms ({values[0]:.2f} to {values[-1]:.2f})  "
              f"{best / median:5.2f}x torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scheme", default="bcr_col-8x")
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    with torch.no_grad():
        x = torch.randn(1, 3, 224, 224)
        last = x.contiguous(memory_format=torch.channels_last)
        model = pruned_twin(resnet18(), args.scheme, x)
        sparse = lacuna_torch.convert(model, args.scheme, example=x)
        scripted = torch.jit.freeze(torch.jit.script(sparse))
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
        frozen_last = torch.jit.freeze(torch.jit.trace(model.to(memory_format=torch.channels_last), last))
        expected, got = model(x), sparse(x)
        apart = float((got - expected).abs().max() / expected.abs().max())
        print(f"largest difference: {apart:.1e} of the largest output")
        networks = {"torch, optimised": lambda: frozen(x), "torch, channels_last": lambda: frozen_last(last),
                    "lacuna_torch": lambda: sparse(x), "lacuna_torch, nhwc": lambda: sparse(last),
                    "lacuna_torch, scripted": lambda: scripted(x)}
        report("resnet18", timed(networks, args.repeat))
        gru = nn.GRU(512, 1024).eval()
        sparse_gru = lacuna_torch.convert(nn.Sequential(gru), args.scheme)
        steps = torch.randn(1, 1, 512)
        sequence = torch.randn(20, 1, 512)
        for title, inputs, repeat in (("gru step", steps, 5 * args.repeat), ("gru 20", sequence, args.repeat)):
            engines = {"torch": lambda: gru(inputs), "lacuna_torch": lambda: sparse_gru(inputs)}
            report(title, timed(engines, repeat))
        conv = lacuna_torch.Conv2d(nn.Conv2d(1, 1, 1), "dense")
        pixel, count = torch.ones(1, 1, 1, 1), 2000
        calls = timed({"module": lambda: [conv(pixel) for _ in range(count)],
                       "torch.ops": lambda: [torch.ops.lacuna.conv2d(pixel, conv.layer) for _ in range(count)]}, 7)
        for name, values in calls.items():
            low, middle, high = (1e3 * values[i] / count for i in (0, len(values) // 2, -1))
            print(f"call      {name:24} {middle:8.2f} us ({low:.2f} to {high:.2f})")


main()
