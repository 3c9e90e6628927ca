"""Speed of one peer on one network on the CPU: one JSON line.

See README.md for the networks and peers.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import time

from training_definition import (
    BATCH, CLASSES, GAIN, LEARNING_RATE, SEED, STEPS, TAU, torch_input, torch_labels, work_per_step)
from training_jax import jax_step


# SpikingJelly


def spikingjelly_parts():
    from spikingjelly.activation_based import encoding, functional, layer, neuron, surrogate

    def lif():
        return neuron.LIFNode(tau=TAU, surrogate_function=surrogate.ATan())

    def integrate():
        return neuron.IFNode(surrogate_function=surrogate.ATan())

    return encoding, functional, layer, neuron, lif, integrate


def spikingjelly_a():
    """The single-step loop of the library's FC-LIF tutorial."""
    from torch import nn

    encoding, functional, layer, _, lif, _ = spikingjelly_parts()
    net = nn.Sequential(layer.Linear(784, 10, bias=False), lif())
    encoder = encoding.PoissonEncoder()

    def forward(x):
        functional.reset_net(net)
        return sum(net(encoder(x)) for _ in range(STEPS["A"])) / STEPS["A"]

    return net, forward


def spikingjelly_sequence(network, net):
    """All time steps at once, input repeated, as in the library's convolution tutorial."""
    _, functional, *_ = spikingjelly_parts()
    functional.set_step_mode(net, "m")

    def forward(x):
        functional.reset_net(net)
        return net(x.unsqueeze(0).repeat(STEPS[network], *[1] * x.dim())).mean(0)

    return net, forward


def spikingjelly_b():
    from torch import nn

    _, _, layer, _, lif, _ = spikingjelly_parts()
    return spikingjelly_sequence("B", nn.Sequential(
        layer.Linear(784, 512, bias=False), lif(),
        layer.Linear(512, 10, bias=False), lif(),
    ))


def spikingjelly_c():
    from torch import nn

    _, _, layer, _, _, integrate = spikingjelly_parts()

    def block(channels):
        return [
            layer.Conv2d(channels, 32, 3, padding=1, bias=False), layer.BatchNorm2d(32),
            integrate(), layer.MaxPool2d(2),
        ]

    return spikingjelly_sequence("C", nn.Sequential(
        *block(1), *block(32), layer.Flatten(),
        layer.Linear(1568, 512, bias=False), integrate(),
        layer.Linear(512, 10, bias=False), integrate(),
    ))


def spikingjelly_d():
    """Input and readout over all steps at once; a loop over the recurrent layer.

    `LinearRecurrentContainer` would multiply by a 512 x 256 matrix instead of 256 x 256.
    """
    import torch
    from torch import nn

    _, functional, _, neuron, lif, _ = spikingjelly_parts()
    net = nn.ModuleDict({
        "input": nn.Linear(700, 256, bias=False), "recurrent": nn.Linear(256, 256, bias=False),
        "lif": lif(), "output": nn.Linear(256, 20, bias=False),
        "readout": neuron.NonSpikingLIFNode(tau=TAU, decode="mean-mem"),
    })

    def forward(x):
        functional.reset_net(net)
        spikes, outputs = torch.zeros(BATCH["D"], 256), []
        for current in net["input"](x):
            spikes = net["lif"](current + net["recurrent"](spikes))
            outputs.append(spikes)
        return net["readout"](net["output"](torch.stack(outputs)))

    return net, forward


def spikingjelly_g():
    _, functional, _, _, lif, _ = spikingjelly_parts()
    node = lif()
    functional.set_step_mode(node, "m")

    def forward(x):
        functional.reset_net(node)
        return node(x)

    return node, forward


# snnTorch: a loop over time steps, states passed from step to step


def snntorch_leaky(beta=1 - 1 / TAU):
    import snntorch

    return snntorch.Leaky(
        beta=beta, reset_mechanism="zero", spike_grad=snntorch.surrogate.atan(alpha=2.0))


def snntorch_rate(network, maps, beta, encode):
    """Mean spikes of the last of several layers, each a map followed by neurons."""
    from torch import nn

    net = nn.ModuleDict({
        "maps": nn.ModuleList(maps),
        "neurons": nn.ModuleList(snntorch_leaky(beta) for _ in maps),
    })

    def forward(x):
        states = [node.reset_mem() for node in net["neurons"]]
        total = 0
        for value in encode(x):
            for i, (linear, node) in enumerate(zip(net["maps"], net["neurons"])):
                value, states[i] = node(linear(value), states[i])
            total = total + value
        return total / STEPS[network]

    return net, forward


def snntorch_a():
    from snntorch import spikegen
    from torch import nn

    return snntorch_rate(
        "A", [nn.Linear(784, 10, bias=False)], 1 - 1 / TAU,
        lambda x: spikegen.rate(x, num_steps=STEPS["A"]))


def snntorch_b():
    from torch import nn

    maps = [nn.Linear(784, 512, bias=False), nn.Linear(512, 10, bias=False)]
    return snntorch_rate("B", maps, 1 - 1 / TAU, lambda x: [x] * STEPS["B"])


def snntorch_c():
    from torch import nn

    def block(channels):
        return [nn.Conv2d(channels, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)]

    maps = [
        nn.Sequential(*block(1)),
        nn.Sequential(nn.MaxPool2d(2), *block(32)),
        nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1568, 512, bias=False)),
        nn.Linear(512, 10, bias=False),
    ]
    return snntorch_rate("C", maps, 1.0, lambda x: [x] * STEPS["C"])


def snntorch_d():
    """Reset by subtraction: with reset to zero, RLeaky multiplies by its matrix twice."""
    import snntorch
    from torch import nn

    beta = 1 - 1 / TAU
    atan = snntorch.surrogate.atan(alpha=2.0)
    net = nn.ModuleDict({
        "input": nn.Linear(700, 256, bias=False),
        "lif": snntorch.RLeaky(beta=beta, linear_features=256, spike_grad=atan),
        "output": nn.Linear(256, 20, bias=False),
        "readout": snntorch.Leaky(beta=beta, reset_mechanism="none"),
    })

    def forward(x):
        spikes, membrane = net["lif"].reset_mem()
        readout, total = net["readout"].reset_mem(), 0
        for value in x:
            spikes, membrane = net["lif"](net["input"](value), spikes, membrane)
            _, readout = net["readout"](net["output"](spikes), readout)
            total = total + readout
        return total / STEPS["D"]

    return net, forward


def snntorch_g():
    import torch

    node = snntorch_leaky()

    def forward(x):
        membrane, outputs = node.reset_mem(), []
        for value in x:
            spikes, membrane = node(value, membrane)
            outputs.append(spikes)
        return torch.stack(outputs)

    return node, forward


# PyTorch by hand: layer after layer, each over all time steps


def torch_parts():
    """Neurons of one layer over time, leaky and not: currents of all steps to spikes of all."""
    import torch

    class Spike(torch.autograd.Function):
        """Threshold at 1; ATan with alpha 2 backwards."""

        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return (v >= 1).to(v.dtype)

        @staticmethod
        def backward(ctx, grad):
            (v,) = ctx.saved_tensors
            return grad / (1 + (torch.pi * (v - 1)) ** 2)

    def fire(charge, currents):
        v, outputs = torch.zeros_like(currents[0]), []
        for current in currents:
            v = charge(v, current)
            spikes = Spike.apply(v)
            v = torch.addcmul(v, v, spikes, value=-1)
            outputs.append(spikes)
        return torch.stack(outputs)

    def leak(v, current):
        return torch.lerp(v, current, 1 / TAU)

    return Spike.apply, leak, lambda x: fire(leak, x), lambda x: fire(torch.add, x)


def torch_a():
    import torch
    from torch import nn

    _, _, lif, _ = torch_parts()
    net = nn.Linear(784, 10, bias=False)

    def forward(x):
        spikes = (torch.rand(STEPS["A"], *x.shape) < x).to(x.dtype)
        return lif(net(spikes)).mean(0)

    return net, forward


def torch_b():
    from torch import nn

    _, _, lif, _ = torch_parts()
    net = nn.ModuleList([nn.Linear(784, 512, bias=False), nn.Linear(512, 10, bias=False)])

    def forward(x):
        hidden = lif([net[0](x)] * STEPS["B"])
        return lif(net[1](hidden)).mean(0)

    return net, forward


def torch_c():
    from torch import nn

    _, _, _, integrate = torch_parts()

    def block(channels):
        return nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32))

    net = nn.ModuleDict({
        "first": block(1), "second": block(32), "pool": nn.MaxPool2d(2),
        "hidden": nn.Linear(1568, 512, bias=False), "output": nn.Linear(512, 10, bias=False),
    })

    def forward(x):
        spikes = integrate([net["first"](x)] * STEPS["C"])
        currents = net["second"](net["pool"](spikes.flatten(0, 1)))
        spikes = integrate(currents.unflatten(0, (STEPS["C"], -1)))
        pooled = net["pool"](spikes.flatten(0, 1)).flatten(1)
        spikes = integrate(net["hidden"](pooled).unflatten(0, (STEPS["C"], -1)))
        return integrate(net["output"](spikes)).mean(0)

    return net, forward


def torch_d():
    import torch
    from torch import nn

    spike, leak, _, _ = torch_parts()
    net = nn.ModuleDict({
        "input": nn.Linear(700, 256, bias=False), "recurrent": nn.Linear(256, 256, bias=False),
        "output": nn.Linear(256, 20, bias=False),
    })

    def recurrent(currents):
        v = spikes = torch.zeros_like(currents[0])
        outputs = []
        for current in currents:
            v = leak(v, torch.addmm(current, spikes, net["recurrent"].weight.t()))
            spikes = spike(v)
            v = torch.addcmul(v, v, spikes, value=-1)
            outputs.append(spikes)
        return torch.stack(outputs)

    def forward(x):
        currents = net["output"](recurrent(net["input"](x)))
        v, total = torch.zeros_like(currents[0]), 0
        for current in currents:
            v = leak(v, current)
            total = total + v
        return total / STEPS["D"]

    return net, forward


def torch_g():
    from torch import nn

    _, _, lif, _ = torch_parts()
    return nn.Identity(), lif


def compiled(build):
    """The same, through torch.compile."""

    def build_compiled():
        import torch

        net, forward = build()
        return net, torch.compile(forward, dynamic=False)

    return build_compiled


TORCH_MODELS = {
    "spikingjelly": {
        "A": spikingjelly_a, "B": spikingjelly_b, "C": spikingjelly_c,
        "D": spikingjelly_d, "G": spikingjelly_g,
    },
    "snntorch": {
        "A": snntorch_a, "B": snntorch_b, "C": snntorch_c, "D": snntorch_d, "G": snntorch_g,
    },
    "torch": {"A": torch_a, "B": torch_b, "C": torch_c, "D": torch_d, "G": torch_g},
}
TORCH_MODELS["compile"] = {
    network: compiled(build) for network, build in TORCH_MODELS["torch"].items()
}


def scale_weights(network, net):
    """Matrices and kernels, not the scales of batch normalisation."""
    import torch

    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() > 1:
                parameter.mul_(GAIN[network])


def torch_training(network, net, forward, x):
    import torch
    from torch.nn import functional as F

    labels = torch_labels(network)
    one_hot = F.one_hot(labels, CLASSES[network]).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    net.train()

    def step():
        optimizer.zero_grad()
        output = forward(x)
        if network == "D":
            loss = F.cross_entropy(output, labels)
        else:
            loss = F.mse_loss(output, one_hot)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_layer_training(forward, x):
    """Forward and backward through neurons alone."""
    import torch

    x.requires_grad_()
    grad = torch.rand_like(x)

    def step():
        x.grad = None
        forward(x).backward(grad)

    return step


def torch_inference(net, forward, x):
    import torch

    net.eval()

    @torch.no_grad()
    def step():
        forward(x)

    return step


def torch_step(peer, network, mode, threads):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    net, forward = TORCH_MODELS[peer][network]()
    if network != "G":
        scale_weights(network, net)
    x = torch_input(network)
    if mode == "infer":
        return torch_inference(net, forward, x)
    if network == "G":
        return torch_layer_training(forward, x)
    return torch_training(network, net, forward, x)


# Measurement


def measure(step, seconds):
    """Seconds of the first step, which may compile, and of each one timed after a warm-up."""
    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    warm_up = time.perf_counter() + seconds / 4
    step()
    while time.perf_counter() < warm_up:
        step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return first, times


def versions(peer):
    packages = {
        "spikingjelly": ["spikingjelly", "torch"], "snntorch": ["snntorch", "torch"],
        "torch": ["torch"], "compile": ["torch"], "jax": ["jax", "jaxlib"],
    }[peer]
    return {package: importlib.metadata.version(package) for package in packages}


def limit_threads(peer, threads):
    """To be called before the peer is imported. JAX knows no number of threads, only cores."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if peer == "jax":
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(STEPS), help="network, see README.md")
    parser.add_argument("peer", choices=[*TORCH_MODELS, "jax"], help="program to measure")
    parser.add_argument("mode", choices=["train", "infer"], help="with or without learning")
    parser.add_argument("--threads", type=int, default=1, help="threads (default 1)")
    parser.add_argument(
        "--seconds", type=float, default=5.0,
        help="time to measure for, after a quarter of it as warm-up (default 5); 5 steps at least")
    args = parser.parse_args()
    if args.peer == "jax" and args.network == "C":
        parser.error("C is not written for jax")
    return args


def main():
    args = arguments()
    limit_threads(args.peer, args.threads)
    if args.peer == "jax":
        step = jax_step(args.network, args.mode)
    else:
        step = torch_step(args.peer, args.network, args.mode, args.threads)
    first, times = measure(step, args.seconds)
    work, unit = work_per_step(args.network)
    slow, median, fast = (work / t for t in reversed(statistics.quantiles(times, n=4)))
    print(json.dumps({
        "network": args.network, "peer": args.peer, "mode": args.mode, "threads": args.threads,
        "unit": f"{unit}/s", "median": median, "quartiles": [slow, fast],
        "repetitions": len(times), "first_step_s": round(first, 2), "versions": versions(args.peer),
    }))


if __name__ == "__main__":
    main()
