"""Test accuracy of SpikingJelly's FC-LIF tutorial on Fashion-MNIST: one JSON line per epoch.

See README.md for the network.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import torch
from spikingjelly.activation_based import encoding, functional, layer, neuron, surrogate
from torch import nn
from torch.nn import functional as F

STEPS = 100
TAU = 2.0


def read_idx(path, header):
    """Bytes of an IDX file after its header."""
    with gzip.open(path) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


def load(folder, part):
    """Images in [0, 1], one per row, and their labels."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz", 16)
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
    return images.reshape(-1, 784).float() / 255, labels.long()


def firing_rate(net, encoder, images):
    functional.reset_net(net)
    return sum(net(encoder(images)) for _ in range(STEPS)) / STEPS


def train_epoch(net, encoder, optimizer, images, labels, batch):
    """As the tutorial, images in random order; the last, smaller batch is left out."""
    order = torch.randperm(len(labels))
    for chosen in order[: len(order) // batch * batch].split(batch):
        optimizer.zero_grad()
        rate = firing_rate(net, encoder, images[chosen])
        F.mse_loss(rate, F.one_hot(labels[chosen], 10).float()).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(net, encoder, images, labels, batch):
    correct = sum(
        (firing_rate(net, encoder, x).argmax(1) == y).sum().item()
        for x, y in zip(images.split(batch), labels.split(batch))
    )
    return correct / len(labels)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the four IDX .gz files")
    parser.add_argument("--seed", type=int, default=1, help="of weights, order, spikes (default 1)")
    parser.add_argument("--epochs", type=int, default=5, help="epochs (default 5)")
    parser.add_argument("--batch", type=int, default=128, help="images per batch (default 128)")
    parser.add_argument("--threads", type=int, default=1, help="threads (default 1)")
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train, test = load(args.folder, "train"), load(args.folder, "t10k")
    net = nn.Sequential(
        layer.Linear(784, 10, bias=False),
        neuron.LIFNode(tau=TAU, surrogate_function=surrogate.ATan()),
    )
    encoder = encoding.PoissonEncoder()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        train_epoch(net, encoder, optimizer, *train, args.batch)
        seconds = time.perf_counter() - start
        print(json.dumps({
            "seed": args.seed, "epoch": epoch, "batch": args.batch, "threads": args.threads,
            "accuracy": accuracy(net, encoder, *test, args.batch),
            "train_s": round(seconds, 1),
        }), flush=True)


if __name__ == "__main__":
    main()
