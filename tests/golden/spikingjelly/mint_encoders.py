"""What encoders of SpikingJelly make of grids of values.

Run as `python mint_encoders.py FOLDER`; writes encoders.json there.
"""

import json
import sys
from pathlib import Path

import spikingjelly
import torch
from spikingjelly.activation_based import encoding

TYPES = {"f32": torch.float32, "f64": torch.float64}


def grid(dtype):
    """The values of a byte, as pictures hold them."""
    return torch.arange(256, dtype=dtype) / 255


def latency(function, steps, dtype):
    encoder = encoding.LatencyEncoder(steps, function)
    x = grid(TYPES[dtype])
    spikes = torch.stack([encoder(x) for _ in range(steps)])
    assert (spikes.sum(0) == 1).all()
    times = spikes.argmax(0).tolist()
    return {"function": function, "steps": steps, "dtype": dtype, "times": times}


def phase(phases, dtype):
    encoder = encoding.WeightedPhaseEncoder(phases)
    x = grid(TYPES[dtype]) * (1 - 2.0**-phases)
    spikes = torch.stack([encoder(x) for _ in range(phases)]).int()
    digits = ["".join(map(str, column)) for column in spikes.T.tolist()]
    return {"phases": phases, "dtype": dtype, "digits": digits}


def population():
    values = [[k / 8 - 1.5, 1.25 - k / 16] for k in range(24)]
    low, high, n, sigma, steps = -1.0, 1.0, 5, 0.4, 20
    encoder = encoding.PopSpikeEncoderDeterministic(2, n, steps, (low, high), sigma).double()
    # The parameters are made in single precision; these are the numbers that were asked for.
    encoder.mean.data = torch.linspace(low, high, n, dtype=torch.float64).expand(1, 2, n).clone()
    encoder.std.data = torch.full((1, 2, n), sigma, dtype=torch.float64)
    with torch.no_grad():
        spikes = encoder(torch.tensor(values, dtype=torch.float64)).int()
    counts = spikes.sum(0).flatten().tolist()
    steps_of = spikes.flatten(1).T.tolist()
    trains = ["".join(map(str, train)) for train in steps_of]
    assert [t.count("1") for t in trains] == counts
    return {
        "low": low,
        "high": high,
        "n": n,
        "sigma": sigma,
        "steps": steps,
        "values": [x for row in values for x in row],
        "trains": trains,
    }


def main():
    version = getattr(spikingjelly, "__version__", "2.0.0")
    found = {
        "tool": "SpikingJelly",
        "version": version,
        "torch": torch.__version__.split("+")[0],
        "latency": [
            latency(function, steps, dtype)
            for function in ("linear", "log")
            for steps in (10, 50)
            for dtype in TYPES
        ],
        "phase": [phase(k, dtype) for k in (3, 8) for dtype in TYPES],
        "population": population(),
    }
    path = Path(sys.argv[1]) / "encoders.json"
    path.write_text(json.dumps(found) + "\n")


main()
