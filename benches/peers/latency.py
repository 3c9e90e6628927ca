"""Time of one step of one sample in onnxruntime, PyTorch and SpikingJelly: what `rheobase bench latency` measures.

    python benches/peers/latency.py {mlp,recurrent,conv} {onnxruntime,torch,spikingjelly} [--steps 5000] [--share 0.02]

Prints one line of JSON: median, 99 % and 99.9 % of the times of steps in ns. One thread; states stay
where they are between steps (I/O binding in onnxruntime). Weights are random: these programs are
dense, and take as long whatever fires.
"""

import argparse
import json
import time

import numpy as np

TAU = 2.0
SIZES = {"mlp": (784, 512, 10), "recurrent": (700, 256, 20), "conv": (784, 512, 10)}


def weights(*shape):
    rng = np.random.default_rng(1)
    bound = 6 / np.sqrt(np.prod(shape[1:]))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def inputs(network, share):
    """64 inputs that take turns."""
    rng = np.random.default_rng(2)
    if network == "conv":
        return [rng.random((1, 1, 28, 28), dtype=np.float32) for _ in range(64)]
    n = SIZES[network][0]
    return [(rng.random((1, n)) < share).astype(np.float32) for _ in range(64)]


# onnxruntime


class Graph:
    """A graph that is built node by node; neurons add their states to inputs and outputs."""

    def __init__(self):
        self.nodes, self.constants, self.states, self.n = [], [], [], 0

    def op(self, kind, *operands, **attributes):
        from onnx import helper

        self.n += 1
        name = f"t{self.n}"
        self.nodes.append(helper.make_node(kind, list(operands), [name], **attributes))
        return name

    def constant(self, array):
        from onnx import numpy_helper

        self.n += 1
        name = f"c{self.n}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def number(self, x):
        return self.constant(np.array(x, dtype=np.float32))

    def linear(self, x, n_in, n_out):
        return self.op("MatMul", x, self.constant(weights(n_out, n_in).T.copy()))

    def neurons(self, x, shape, leaky):
        """LIF or IF with threshold 1 and reset to 0; a spike is 1."""
        name = f"v{len(self.states)}"
        change = self.op("Mul", self.op("Sub", x, name), self.number(1 / TAU)) if leaky else x
        v = self.op("Add", name, change)
        spikes = self.op("Cast", self.op("GreaterOrEqual", v, self.number(1.0)), to=1)
        kept = self.op("Mul", v, self.op("Sub", self.number(1.0), spikes))
        self.states.append((name, kept, shape))
        return spikes


def onnx_model(network):
    from onnx import TensorProto, helper

    g = Graph()
    n_in, n_hidden, n_out = SIZES[network]
    shape = (1, 1, 28, 28) if network == "conv" else (1, n_in)
    if network == "conv":
        x, channels, size = "x", 1, 28
        for _ in range(2):
            x = g.op("Conv", x, g.constant(weights(32, channels, 3, 3)), pads=[1, 1, 1, 1])
            norm = [np.ones(32), np.zeros(32), np.zeros(32), np.ones(32)]
            norm = [g.constant(a.astype(np.float32)) for a in norm]
            x = g.op("BatchNormalization", x, *norm)
            x = g.neurons(x, (1, 32, size, size), False)
            x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            channels, size = 32, size // 2
        x = g.op("Flatten", x)
        x = g.neurons(g.linear(x, 32 * 49, n_hidden), (1, n_hidden), False)
        spikes = g.neurons(g.linear(x, n_hidden, n_out), (1, n_out), False)
    else:
        current = g.linear("x", n_in, n_hidden)
        if network == "recurrent":
            current = g.op("Add", current, g.linear("s", n_hidden, n_hidden))
        hidden = g.neurons(current, (1, n_hidden), True)
        spikes = g.neurons(g.linear(hidden, n_hidden, n_out), (1, n_out), True)
        if network == "recurrent":
            g.states.append(("s", hidden, (1, n_hidden)))
    info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    outputs = [info(after, shape) for _, after, shape in g.states] + [info(spikes, (1, n_out))]
    graph = helper.make_graph(
        g.nodes,
        network,
        [info("x", shape)] + [info(before, shape) for before, _, shape in g.states],
        outputs,
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model, g.states, spikes


def onnx_step(network):
    import onnxruntime as ort

    model, states, spikes = onnx_model(network)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    n_out = SIZES[network][2]
    # States change places from step to step.
    buffers = [
        [ort.OrtValue.ortvalue_from_numpy(np.zeros(s, np.float32)) for _, _, s in states]
        for _ in range(2)
    ]
    out = ort.OrtValue.ortvalue_from_numpy(np.zeros((1, n_out), np.float32))
    given = [ort.OrtValue.ortvalue_from_numpy(x) for x in inputs(network, onnx_step.share)]
    bindings = []
    for x in given:
        pair = []
        for before, after in [(0, 1), (1, 0)]:
            binding = session.io_binding()
            binding.bind_ortvalue_input("x", x)
            for k, (name, kept, _) in enumerate(states):
                binding.bind_ortvalue_input(name, buffers[before][k])
                binding.bind_ortvalue_output(kept, buffers[after][k])
            binding.bind_ortvalue_output(spikes, out)
            pair.append(binding)
        bindings.append(pair)
    return lambda k: session.run_with_iobinding(bindings[k % 64][k % 2])


# PyTorch


def torch_step(network):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    n_in, n_hidden, n_out = SIZES[network]
    tensor = lambda *shape: torch.from_numpy(weights(*shape))
    given = [torch.from_numpy(x) for x in inputs(network, torch_step.share)]

    def neurons(v, x, leaky):
        v = v + (x - v) / TAU if leaky else v + x
        spikes = (v >= 1).float()
        return v * (1 - spikes), spikes

    if network == "conv":
        w = [tensor(32, 1, 3, 3), tensor(32, 32, 3, 3), tensor(n_hidden, 1568), tensor(n_out, n_hidden)]
        mean, var = torch.zeros(32), torch.ones(32)
        v = [torch.zeros(1, 32, 28, 28), torch.zeros(1, 32, 14, 14), torch.zeros(1, n_hidden), torch.zeros(1, n_out)]

        def step(k):
            x = given[k % 64]
            for i in range(2):
                x = F.batch_norm(F.conv2d(x, w[i], padding=1), mean, var)
                v[i], x = neurons(v[i], x, False)
                x = F.max_pool2d(x, 2)
            x = x.flatten(1)
            for i in range(2, 4):
                v[i], x = neurons(v[i], F.linear(x, w[i]), False)
            return x

        return step
    w1, w2, wr = tensor(n_hidden, n_in), tensor(n_out, n_hidden), tensor(n_hidden, n_hidden)
    v = [torch.zeros(1, n_hidden), torch.zeros(1, n_out)]
    hidden = [torch.zeros(1, n_hidden)]

    def step(k):
        current = F.linear(given[k % 64], w1)
        if network == "recurrent":
            current = current + F.linear(hidden[0], wr)
        v[0], hidden[0] = neurons(v[0], current, True)
        v[1], out = neurons(v[1], F.linear(hidden[0], w2), True)
        return out

    return step


# SpikingJelly


def spikingjelly_step(network):
    import torch
    from spikingjelly.activation_based import layer, neuron

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    n_in, n_hidden, n_out = SIZES[network]
    given = [torch.from_numpy(x) for x in inputs(network, spikingjelly_step.share)]

    def linear(n_out, n_in):
        module = layer.Linear(n_in, n_out, bias=False)
        module.weight.copy_(torch.from_numpy(weights(n_out, n_in)))
        return module

    def conv(channels):
        module = layer.Conv2d(channels, 32, 3, padding=1, bias=False)
        module.weight.copy_(torch.from_numpy(weights(32, channels, 3, 3)))
        return module

    if network == "conv":
        modules = []
        for channels in (1, 32):
            modules += [conv(channels), layer.BatchNorm2d(32), neuron.IFNode(), layer.MaxPool2d(2)]
        modules += [layer.Flatten(), linear(n_hidden, 1568), neuron.IFNode()]
        net = torch.nn.Sequential(*modules, linear(n_out, n_hidden), neuron.IFNode()).eval()
        return lambda k: net(given[k % 64])
    first, last = linear(n_hidden, n_in), linear(n_out, n_hidden)
    nodes = torch.nn.ModuleList([neuron.LIFNode(tau=TAU), neuron.LIFNode(tau=TAU)]).eval()
    back = linear(n_hidden, n_hidden)
    hidden = [torch.zeros(1, n_hidden)]

    def step(k):
        current = first(given[k % 64])
        if network == "recurrent":
            current = current + back(hidden[0])
        hidden[0] = nodes[0](current)
        return nodes[1](last(hidden[0]))

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=SIZES)
    parser.add_argument("peer", choices=["onnxruntime", "torch", "spikingjelly"])
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--share", type=float, default=0.02)
    arguments = parser.parse_args()
    makers = {"onnxruntime": onnx_step, "torch": torch_step, "spikingjelly": spikingjelly_step}
    make = makers[arguments.peer]
    make.share = arguments.share
    step = make(arguments.network)
    for k in range(arguments.steps // 10):
        step(k)
    times = []
    for k in range(arguments.steps):
        begun = time.perf_counter_ns()
        step(k)
        times.append(time.perf_counter_ns() - begun)
    times = np.sort(times)
    at = lambda share: int(times[int(share * len(times))])
    print(
        json.dumps(
            {
                "network": arguments.network,
                "peer": arguments.peer,
                "median_ns": at(0.5),
                "p99_ns": at(0.99),
                "p999_ns": at(0.999),
            }
        )
    )


if __name__ == "__main__":
    main()
