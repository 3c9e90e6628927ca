#!/usr/bin/env python3
"""Time Rheobase against a peer in pairs: one thread, one processor, one sitting.

    python paired.py --rheobase target/release/rheobase --network coba --peer brian2 --rounds 7

Each round runs Rheobase and then the peer, each as a whole process bound to the same processor, and
reads `simulation_s` from both: the wall time of advancing the network, without building it. The
ratio is taken within a round, so what slows the machine for a while slows both sides of it. The
first round is discarded. Round n uses seed n in both programs.

The rates are compared with those of NEST in tests/golden/nest/statistics.json. If either program is
further off than `--tolerance`, the two did not simulate the same network: exit code 3.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

import definition

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {"genn": "genn.py", "brian2": "brian2_standalone.py"}
GOLDEN = definition.ROOT / "tests" / "golden" / "nest" / "statistics.json"
NEST_POPULATION = {"E": "excitatory", "I": "inhibitory"}
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
DIFFERENT_NETWORK = 3


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        runs = measure(options, options.build_dir or pathlib.Path(scratch, "build"), pathlib.Path(scratch))
    result = summarise(runs, options)
    print(table(result))
    print(json.dumps(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if result["same_network"] else DIFFERENT_NETWORK


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rheobase", type=pathlib.Path, required=True, help="the program, built with --release")
    parser.add_argument("--network", choices=definition.NETWORKS, required=True)
    parser.add_argument("--peer", choices=PEERS, required=True)
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has the peer installed")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count")
    parser.add_argument("--duration", type=definition.positive, default=5.0, help="biological time [s]")
    parser.add_argument("--discard", type=definition.not_negative, default=0.5,
                        help="time from the start left out of the rates, not of the timing [s]")
    parser.add_argument("--precision", choices=("f32", "f64"), default="f32", help="of both programs")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="the processor both run on")
    parser.add_argument("--tolerance", type=float, default=0.1, help="of rates, relative to NEST's")
    parser.add_argument("--build-dir", type=pathlib.Path, help="folder for the peer's generated code")
    parser.add_argument("--json", type=pathlib.Path, help="also write the result to this file")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: expected 1 or more")
    if options.discard >= options.duration:
        parser.error("--discard: expected less than --duration")
    return options


def measure(options, build_dir, scratch):
    """The counted rounds, each a pair of records."""
    runs = []
    for n in range(options.rounds + 1):
        load = os.getloadavg()[0]
        pair = {"load_before": load, "rheobase": run_rheobase(options, n + 1, scratch),
                "peer": run_peer(options, n + 1, build_dir)}
        a, b = (per_biological_second(pair[who]) for who in ("rheobase", "peer"))
        note = " (discarded)" if n == 0 else ""
        print(f"round {n}: {a:.4f} {b:.4f} ratio {b / a:.2f}, load {load:.1f}{note}", file=sys.stderr, flush=True)
        if n > 0:
            runs.append(pair)
    return runs


def run_rheobase(options, seed, scratch):
    record = run_pinned(options.cpu, [
        options.rheobase.resolve(), "run", definition.ROOT / "examples" / f"{options.network}.toml",
        "--json", "--threads", 1, "--seed", seed, "--precision", options.precision,
        "--duration", f"{options.duration} s", "--discard", f"{options.discard} s",
        "--out", scratch / "rheobase", "--overwrite"])
    integrators = {p.get("integrator") for p in record["populations"]}
    return {
        "tool": "Rheobase", "version": record["version"], "biological_s": record["biological_s"],
        "simulation_s": record["simulation_s"], "build_s": record["build_s"], "precision": options.precision,
        "seed": seed, "rate_hz": {p["name"]: p["rate_hz"] for p in record["populations"]},
        "integrator": ", ".join(sorted(i for i in integrators if i)) or "unknown",
    }


def run_peer(options, seed, build_dir):
    folder = build_dir.resolve() / f"{options.peer}-{options.network}-{options.precision}"
    return run_pinned(options.cpu, [
        options.peer_python, HERE / PEERS[options.peer], options.network, "--duration", options.duration,
        "--discard", options.discard, "--seed", seed, "--precision", options.precision, "--build-dir", folder])


def run_pinned(cpu, command):
    """The JSON a program ends its standard output with."""
    command = ["taskset", "-c", str(cpu), *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with {done.returncode}:\n{done.stderr}")
    text = done.stdout.strip()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return json.loads(text.splitlines()[-1])


def per_biological_second(record):
    return record["simulation_s"] / record["biological_s"]


def summarise(runs, options):
    with open(GOLDEN, encoding="utf-8") as file:
        nest = json.load(file)["networks"][options.network]["summary"]
    reference = {name: nest[long]["rate_hz"]["mean"] for name, long in NEST_POPULATION.items()}
    sides = {}
    for who in ("rheobase", "peer"):
        records = [pair[who] for pair in runs]
        rates = {name: statistics.fmean(r["rate_hz"][name] for r in records) for name in reference}
        sides[who] = {
            **{k: records[0][k] for k in ("tool", "version", "integrator", "precision")},
            "s_per_biological_s": spread([per_biological_second(r) for r in records]),
            "build_s": statistics.median(r["build_s"] for r in records),
            "rate_hz": rates,
            "rate_error": max(abs(rates[name] / reference[name] - 1.0) for name in reference),
        }
    return {
        "network": options.network, "rounds": len(runs), "biological_s": options.duration, "threads": 1,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.system()},
        **sides,
        "ratio": spread([per_biological_second(p["peer"]) / per_biological_second(p["rheobase"]) for p in runs]),
        "nest_rate_hz": reference,
        "same_network": all(side["rate_error"] <= options.tolerance for side in sides.values()),
        "pairs": runs,
    }


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def table(result):
    lines = [
        f"{result['network']}, {result['biological_s']} s, 1 thread, {result['rounds']} pairs, "
        f"{result['machine']['processor']}",
        "",
        "| | wall s per biological s: min | median | max | E [Hz] | I [Hz] | integrator |",
        "|---|---|---|---|---|---|---|",
    ]
    for side in (result["rheobase"], result["peer"]):
        time, rate = side["s_per_biological_s"], side["rate_hz"]
        lines.append(f"| {side['tool']} {side['version']} {side['precision']} | {time['min']:.4f} | {time['median']:.4f} "
                     f"| {time['max']:.4f} | {rate['E']:.2f} | {rate['I']:.2f} | {side['integrator']} |")
    nest, ratio = result["nest_rate_hz"], result["ratio"]
    lines.append(f"| NEST, reference | | | | {nest['E']:.2f} | {nest['I']:.2f} | |")
    lines += ["", f"ratio within pairs, peer / Rheobase: {ratio['min']:.2f} min, {ratio['median']:.2f} median, "
                  f"{ratio['max']:.2f} max"]
    if not result["same_network"]:
        lines.append("the rates differ from NEST's by more than the tolerance: NOT the same network")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
