"""Trajectories of optimisers, rates of schedules and values of losses, by PyTorch.

Run as `python mint.py FOLDER`; writes optimizers.json, schedules.json and losses.json there.
"""

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
PROVENANCE = {"tool": "PyTorch", "version": torch.__version__.split("+")[0], "dtype": "float64"}
KEPT = [1, 2, 3, 10, 50, 100]
SIZES = [11, 4]


def start(slot):
    return [((i * 5 + slot * 3) % 13 - 6) / 4 for i in range(SIZES[slot])]


def gradient(step, slot, values):
    """Exact in binary but for one addition and one product, so that any program can repeat it."""
    noise = [((step * 7 + i * 13 + slot * 5) % 17 - 8) / 8 for i in range(len(values))]
    return [n + 0.5 * v for n, v in zip(noise, values)]


OPTIMIZERS = [
    ("sgd", torch.optim.SGD, {}),
    ("sgd", torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    ("sgd", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    ("sgd", torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01}),
    ("sgd", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("adam", torch.optim.Adam, {}),
    ("adam", torch.optim.Adam, {"lr": 0.05, "betas": [0.8, 0.95], "eps": 1e-4, "weight_decay": 0.1}),
    ("adam", torch.optim.Adam, {"lr": 0.05, "amsgrad": True}),
    ("adamw", torch.optim.AdamW, {}),
    ("adamw", torch.optim.AdamW, {"lr": 0.05, "weight_decay": 0.2, "amsgrad": True}),
    ("rmsprop", torch.optim.RMSprop, {}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.02, "alpha": 0.9, "weight_decay": 0.1}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.02, "alpha": 0.9, "centered": True, "eps": 1e-3}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.9}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.5, "centered": True, "eps": 1e-3}),
    ("adagrad", torch.optim.Adagrad, {}),
    ("adagrad", torch.optim.Adagrad, {"lr": 0.3, "lr_decay": 0.05, "weight_decay": 0.1}),
    ("adagrad", torch.optim.Adagrad, {"lr": 0.3, "initial_accumulator_value": 0.5, "eps": 1e-3}),
]


def trajectory(make, options, clip=None):
    parameters = [torch.tensor(start(s), dtype=torch.float64, requires_grad=True) for s in (0, 1)]
    optimizer = make(parameters, **options)
    kept, norms = [], []
    for step in range(1, 101):
        for slot, p in enumerate(parameters):
            p.grad = torch.tensor(gradient(step, slot, p.tolist()), dtype=torch.float64)
        if clip is not None and "norm" in clip:
            norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, clip["norm"])))
        if clip is not None and "value" in clip:
            torch.nn.utils.clip_grad_value_(parameters, clip["value"])
        optimizer.step()
        if step in KEPT:
            kept.append([p.tolist() for p in parameters])
    return {"parameters": kept} | ({"norms": [norms[k - 1] for k in KEPT]} if norms else {})


def optimizers():
    cases = [{"rule": rule, "options": o} | trajectory(make, o) for rule, make, o in OPTIMIZERS]
    for clip in ({"norm": 1.5}, {"value": 0.4}):
        options = {"lr": 0.05, "momentum": 0.9}
        found = trajectory(torch.optim.SGD, options, clip)
        cases.append({"rule": "sgd", "options": options, "clip": clip} | found)
    starts = [start(s) for s in (0, 1)]
    return PROVENANCE | {"steps": KEPT, "start": starts, "cases": cases}


def rates(base, make, epochs):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    schedule = make(optimizer)
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def metric(epoch):
    """Falls to a floor, with a bump; exact in binary."""
    return max(1.0 - epoch / 16, 0.25) + ((epoch * 5) % 3) / 64


def plateau(base, options, epochs):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    sign = -1.0 if options.get("mode") == "max" else 1.0
    found = []
    for epoch in range(epochs):
        schedule.step(sign * metric(epoch))
        found.append(optimizer.param_groups[0]["lr"])
    return found


def schedules():
    s = torch.optim.lr_scheduler
    forms = [
        ("step", [7, 0.3], lambda o: s.StepLR(o, 7, 0.3)),
        ("multi_step", [[5, 20, 20, 33], 0.5], lambda o: s.MultiStepLR(o, [5, 20, 20, 33], 0.5)),
        ("exponential", [0.9], lambda o: s.ExponentialLR(o, 0.9)),
        ("cosine", [40, 0.01], lambda o: s.CosineAnnealingLR(o, 40, 0.01)),
        ("cosine", [15, 0.01], lambda o: s.CosineAnnealingLR(o, 15, 0.01)),
        ("warm_restarts", [6, 1, 0.01], lambda o: s.CosineAnnealingWarmRestarts(o, 6, 1, 0.01)),
        ("warm_restarts", [6, 2, 0.01], lambda o: s.CosineAnnealingWarmRestarts(o, 6, 2, 0.01)),
        (
            "cyclic",
            [1.0, 6, 9, 1.0],
            lambda o: s.CyclicLR(o, 0.2, 1.0, 6, 9, mode="triangular", cycle_momentum=False),
        ),
        (
            "cyclic",
            [1.0, 6, 9, 0.5],
            lambda o: s.CyclicLR(o, 0.2, 1.0, 6, 9, mode="triangular2", cycle_momentum=False),
        ),
        ("warm_up", [5, 1 / 3], lambda o: s.LinearLR(o)),
        ("warm_up", [12, 0.1], lambda o: s.LinearLR(o, 0.1, 1.0, 12)),
        ("lambda", [], lambda o: s.LambdaLR(o, lambda e: 1 / (1 + e))),
    ]
    cases = [{"form": f, "arguments": a, "rates": rates(0.2, make, 50)} for f, a, make in forms]
    options = [
        {},
        {"factor": 0.5, "patience": 2, "threshold": 1 / 64, "threshold_mode": "abs"},
        {"factor": 0.5, "patience": 1, "cooldown": 3, "min_lr": 0.01, "threshold": 0.05},
        {"mode": "max", "factor": 0.3, "patience": 3, "threshold_mode": "abs"},
        {"factor": 0.1, "patience": 0, "eps": 1e-4},
    ]
    metrics = [metric(epoch) for epoch in range(50)]
    watched = [{"options": o, "rates": plateau(0.2, o, 50)} for o in options]
    return PROVENANCE | {"base": 0.2, "cases": cases, "metrics": metrics, "plateaus": watched}


def tet(output, labels, share, target):
    """The mean of the cross-entropies of all steps, and a squared error against a constant."""
    entropy = torch.stack([F.cross_entropy(o, labels) for o in output]).mean()
    return (1 - share) * entropy + share * F.mse_loss(output, torch.full_like(output, target))


def losses():
    steps, batch, classes = 5, 3, 4
    n = steps * batch * classes
    flat = [((k * 29) % 61 - 30) / 16 for k in range(n)]
    labels = torch.tensor([2, 0, 3])
    one_hot = F.one_hot(labels, classes).double()
    rates_wanted = torch.tensor([(k % 5) / 4 for k in range(batch * classes)]).double()
    rates_wanted = rates_wanted.view(batch, classes)
    target = torch.tensor([((k * 11) % 23 - 11) / 8 for k in range(n)], dtype=torch.float64)
    target = target.view(steps, batch, classes)
    functions = {
        "mse_rate": lambda o: F.mse_loss(o.mean(0), one_hot),
        "mse_rate_target": lambda o: F.mse_loss(o.mean(0), rates_wanted),
        "mse": lambda o: F.mse_loss(o, target),
        "cross_entropy_counts": lambda o: F.cross_entropy(o.sum(0), labels),
        "cross_entropy_mean": lambda o: F.cross_entropy(o.mean(0), labels),
        "cross_entropy_last": lambda o: F.cross_entropy(o[-1], labels),
        "cross_entropy_max": lambda o: F.cross_entropy(o.max(0).values, labels),
        "tet": lambda o: tet(o, labels, 0.0, 1.0),
        "tet_with_error": lambda o: tet(o, labels, 0.05, 0.5),
    }
    cases = {}
    for name, function in functions.items():
        output = torch.tensor(flat, dtype=torch.float64).view(steps, batch, classes)
        output.requires_grad_()
        loss = function(output)
        loss.backward()
        assert math.isfinite(loss.item())
        cases[name] = {"loss": loss.item(), "gradient": output.grad.flatten().tolist()}
    return PROVENANCE | {
        "shape": [steps, batch, classes],
        "output": flat,
        "labels": labels.tolist(),
        "rates": rates_wanted.flatten().tolist(),
        "target": target.flatten().tolist(),
        "cases": cases,
    }


def main():
    folder = Path(sys.argv[1])
    for name, make in [("optimizers", optimizers), ("schedules", schedules), ("losses", losses)]:
        text = json.dumps(make(), indent=1)
        # Lists of numbers on one line each.
        lines, inside = [], False
        for line in text.splitlines():
            number = line.strip().rstrip(",").lstrip("-")[:1].isdigit()
            if number and inside:
                lines[-1] += " " + line.strip()
            elif inside and line.strip().startswith("]"):
                lines[-1] += line.strip()
                inside = False
            elif number and not inside and lines and lines[-1].endswith("["):
                lines[-1] += line.strip()
                inside = True
            else:
                lines.append(line)
        text = "\n".join(lines) + "\n"
        (folder / f"{name}.json").write_text(text)


main()
