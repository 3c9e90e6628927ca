"""Writes izhikevich.json: two single-neuron traces of NEST's izhikevich, by forward Euler.

venv/bin/pip install nest-simulator==3.10.0; venv/bin/python mint_izhikevich.py
"""

import json
from pathlib import Path

import nest

STEPS, DT_MS = 5000, 0.1
CASES = [
    ("regular_spiking", dict(a=0.02, b=0.2, c=-65.0, d=8.0), 10.0),
    ("chattering_with_input", dict(a=0.02, b=0.2, c=-50.0, d=2.0), 7.0),
]
# Arrival step and size of jumps of v [mV].
INPUT = [(105, 4.0), (200, -6.0), (201, 3.5), (1500, 40.0), (1501, 2.0), (3000, -12.0)]


def run(name, parameters, current):
    nest.ResetKernel()
    nest.resolution = DT_MS
    neuron = nest.Create("izhikevich", params=dict(parameters, I_e=current, consistent_integration=True))
    meter = nest.Create("multimeter", params=dict(record_from=["V_m", "U_m"], interval=DT_MS))
    recorder = nest.Create("spike_recorder")
    nest.Connect(meter, neuron, syn_spec=dict(delay=DT_MS))
    nest.Connect(neuron, recorder, syn_spec=dict(delay=DT_MS))
    for step, weight in INPUT if "input" in name else []:
        source = nest.Create("spike_generator", params=dict(spike_times=[round((step - 1) * DT_MS, 1)]))
        nest.Connect(source, neuron, syn_spec=dict(weight=weight, delay=DT_MS))
    nest.Simulate((STEPS + 2) * DT_MS)
    data = meter.events
    times = [round(t / DT_MS) for t in data["times"]]
    assert times[:3] == [1, 2, 3], times[:3]
    return dict(
        name=name,
        dt_ms=DT_MS,
        steps=STEPS,
        parameters=parameters,
        current_mv_per_ms=current,
        v0_mv=-65.0,
        u0_mv=-13.0,
        input=dict(
            arrival_step=[s for s, _ in INPUT] if "input" in name else [],
            weight_mv=[w for _, w in INPUT] if "input" in name else [],
        ),
        record_every=10,
        v_mv=[float(x) for x in data["V_m"][9:STEPS:10]],
        u_mv=[float(x) for x in data["U_m"][9:STEPS:10]],
        spike_steps=[round(t / DT_MS) for t in recorder.events["times"] if round(t / DT_MS) <= STEPS],
    )


nest.verbosity = nest.VerbosityLevel.ERROR
document = dict(
    tool="NEST 3.10.0",
    model="izhikevich, consistent_integration = True (forward Euler)",
    cases=[run(*case) for case in CASES],
)
Path(__file__).with_name("izhikevich.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
