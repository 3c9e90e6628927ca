"""Writes norse_lif.json and .f64.safetensors: `lif_feed_forward_step` of Norse 1.1.0 in float64.

    PYTHONPATH=norse-1.1.0 python mint.py        # needs torch; the source of Norse suffices
"""

import json
import struct

import torch
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, lif_feed_forward_step

STEPS, NEURONS = 16, 16
MARGIN = 1e-4


def run(x, p, dt):
    zero = torch.zeros(NEURONS, dtype=torch.float64)
    state = LIFFeedForwardState(v=zero + p.v_reset, i=zero)
    spikes, currents, membranes = [], [], []
    for step in x:
        spike, state = lif_feed_forward_step(step, state, p, dt)
        spikes.append(spike)
        currents.append(state.i)
        membranes.append(state.v)
    return torch.stack(spikes), torch.stack(currents), torch.stack(membranes)


def case(name, dt, **given):
    p = LIFParameters(**{k: torch.tensor(v, dtype=torch.float64) for k, v in given.items()})
    seed = 0
    while True:
        torch.manual_seed(seed)
        x = (torch.rand(STEPS, NEURONS) * 6 - 1).double()
        g, gv = torch.randn(2, STEPS, NEURONS, dtype=torch.float64)
        moved = [run(x + d, p, dt)[0] for d in (-MARGIN, 0, MARGIN)]
        if torch.equal(moved[0], moved[1]) and torch.equal(moved[1], moved[2]):
            break
        seed += 1
    x.requires_grad_()
    s, i, v = run(x, p, dt)
    (gx,) = torch.autograd.grad((g * s).sum(), x, retain_graph=True)
    (gx_sv,) = torch.autograd.grad((g * s).sum() + (gv * v).sum(), x)
    names = ("tau_syn_inv", "tau_mem_inv", "v_leak", "v_th", "v_reset", "alpha")
    parameters = {k: float(getattr(p, k)) for k in names} | {"dt": dt, "seed": seed}
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


chosen = [
    case("default", 0.001, tau_syn_inv=200.0, tau_mem_inv=100.0, alpha=100.0),
    case("slow", 0.002, tau_syn_inv=80.0, tau_mem_inv=50.0, v_leak=0.25, v_reset=-0.3, alpha=10.0),
    case("low_threshold", 0.001, tau_syn_inv=300.0, tau_mem_inv=200.0, v_th=0.4, alpha=50.0),
]
with open("norse_lif.json", "w") as file:
    made = f"Norse 1.1.0, torch {torch.__version__}"
    json.dump({"made_by": made, "cases": [entry for entry, _ in chosen]}, file, indent=1)
    file.write("\n")
safetensors("norse_lif.f64.safetensors", {k: a for _, arrays in chosen for k, a in arrays.items()})
