"""Where the gradients of snntorch_leaky come from, in plain Python.

snnTorch's spikes are float32 whatever the membrane is, so what comes back to a spike is rounded to
float32. With reset_delay that is the upstream gradient alone, which is exact in float32; without it,
the path through the reset adds to it, and the rounding shows at about 6e-8. This script runs every
case with and without that rounding and prints how far it is from the file.
"""

import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
STEPS, N = 16, 32


def tensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        arrays[name] = struct.unpack(f"<{(end - start) // 8}d", body[start:end])
    return arrays


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def forward(x, beta, mechanism, delay):
    v, tape = 0.0, []
    for value in x:
        late = float(v > 1.0)
        u = beta * v + value
        if mechanism == "subtract":
            u -= late
        elif mechanism == "zero":
            u = beta * v * (1.0 - late) + value
        s = float(u > 1.0)
        jump = {"subtract": 1.0, "zero": u, "none": 0.0}[mechanism]
        v = u if delay else u - (s - late) * jump
        tape.append((late, u, s, v))
    return tape


def backward(tape, g, gv, beta, mechanism, delay, rounded):
    carried, gradient = 0.0, [0.0] * STEPS
    for t in reversed(range(STEPS)):
        late, u, s, _ = tape[t]
        carried += gv[t]
        of_spike, of_u = g[t], carried
        if not delay and mechanism != "none":
            jump = 1.0 if mechanism == "subtract" else u
            through = -carried * jump
            of_spike = single(single(g[t]) + single(through)) if rounded else g[t] + through
            if mechanism == "zero":
                of_u = carried * (1.0 - (s - late))
        gradient[t] = of_u + of_spike / (1.0 + 25.0 * abs(u - 1.0)) ** 2
        carried = beta * gradient[t] * ((1.0 - late) if mechanism == "zero" else 1.0)
    return gradient


def main():
    arrays = tensors(HERE / "snntorch_leaky.f64.safetensors")
    for case in json.loads((HERE / "snntorch_leaky.json").read_text())["cases"]:
        name, p = case["case"], case["params"]
        rest = (p["beta"], p["reset_mechanism"], p["reset_delay"])
        worst = {"v": 0.0, "s": 0.0, "rounded": 0.0, "exact": 0.0}
        for i in range(N):
            column = lambda array: arrays[f"{name}/{array}"][i::N]
            tape = forward(column("x"), *rest)
            for t, (_, _, s, v) in enumerate(tape):
                worst["s"] = max(worst["s"], abs(s - column("s")[t]))
                worst["v"] = max(worst["v"], abs(v - column("v")[t]))
            for array, gv in [("gx", [0.0] * STEPS), ("gx_sv", column("gv"))]:
                for key in ["rounded", "exact"]:
                    found = backward(tape, column("g"), gv, *rest, key == "rounded")
                    gaps = [abs(x - y) for x, y in zip(found, column(array))]
                    worst[key] = max(worst[key], *gaps)
        print(name, worst)


if __name__ == "__main__":
    main()
