"""Writes snntorch_synaptic.json and .f64.safetensors: `Synaptic` of snnTorch 1.0.0 in float64.

    python mint_synaptic.py        # needs torch and snntorch
"""

import json
import struct

import snntorch
import torch
from snntorch import surrogate

STEPS, NEURONS = 16, 16
MARGIN = 1e-4


def run(x, alpha, beta, mechanism, delay):
    cell = snntorch.Synaptic(
        alpha=torch.tensor(alpha, dtype=torch.float64),
        beta=torch.tensor(beta, dtype=torch.float64),
        spike_grad=surrogate.atan(),
        reset_mechanism=mechanism,
        reset_delay=delay,
    )
    cell.threshold = cell.threshold.double()
    syn, mem = torch.zeros(NEURONS).double(), torch.zeros(NEURONS).double()
    spikes, synapses, membranes = [], [], []
    for step in x:
        spike, syn, mem = cell(step, syn, mem)
        spikes.append(spike)
        synapses.append(syn)
        membranes.append(mem)
    return torch.stack(spikes), torch.stack(synapses), torch.stack(membranes)


def case(name, alpha, beta, mechanism, delay):
    seed = 0
    while True:
        torch.manual_seed(seed)
        x = (torch.rand(STEPS, NEURONS) * 0.8 - 0.1).double()
        g, gv = torch.randn(2, STEPS, NEURONS, dtype=torch.float64)
        moved = [run(x + d, alpha, beta, mechanism, delay)[0] for d in (-MARGIN, 0, MARGIN)]
        if torch.equal(moved[0], moved[1]) and torch.equal(moved[1], moved[2]):
            break
        seed += 1
    x.requires_grad_()
    s, i, v = run(x, alpha, beta, mechanism, delay)
    (gx,) = torch.autograd.grad((g * s).sum(), x, retain_graph=True)
    (gx_sv,) = torch.autograd.grad((g * s).sum() + (gv * v).sum(), x)
    parameters = {
        "alpha": alpha,
        "beta": beta,
        "threshold": 1.0,
        "reset_mechanism": mechanism,
        "reset_delay": delay,
        "seed": seed,
    }
    arrays = {"x": x, "s": s, "i": i, "v": v, "g": g, "gv": gv, "gx": gx, "gx_sv": gx_sv}
    print(name, "seed", seed, "rate", s.mean().item())
    return {"case": name, "params": parameters}, {f"{name}/{k}": a for k, a in arrays.items()}


def safetensors(path, arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        values = array.detach().double().flatten().tolist()
        block = struct.pack(f"<{len(values)}d", *values)
        offsets = [len(data), len(data) + len(block)]
        header[name] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": offsets}
        data += block
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


cases, arrays = [], {}
for k, (mechanism, delay) in enumerate(
    (m, d) for m in ("subtract", "zero", "none") for d in (True, False)
):
    alpha, beta = (0.8, 0.9) if k % 2 else (0.5, 0.75)
    entry, of_case = case(f"synaptic_{mechanism}_{delay}".lower(), alpha, beta, mechanism, delay)
    cases.append(entry)
    arrays |= of_case
made = f"snnTorch {snntorch.__version__}, torch {torch.__version__}"
with open("snntorch_synaptic.json", "w") as file:
    json.dump({"made_by": made, "cases": cases}, file, indent=1)
    file.write("\n")
safetensors("snntorch_synaptic.f64.safetensors", arrays)
