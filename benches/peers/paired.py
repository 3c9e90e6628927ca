#!/usr/bin/env python3
"""Time Rheobase against a peer in pairs: equal threads, the same processors, one sitting.

    python paired.py --rheobase target/release/rheobase --network coba --peer brian2 --rounds 7

Each round runs both programs, each as a whole process bound to the same processors, and reads
`simulation_s` from both: the wall time of advancing the network, without building it. Who goes first
alternates from round to round (ABBA), and the ratio is taken within a round, so what slows the
machine for a while slows both sides of it. The first round is discarded. Round n uses seed n in both.

The rates are compared with a reference: NEST's in tests/golden/nest/statistics.json, for the full
microcircuit the published ones its file names, for a down-scaled one the peer's own. If either program is further off than `--tolerance`,
the two did not simulate the same network: exit code 3. The result is appended to `--out` as one line
that `rheobase bench --table` reads.
"""
import argparse
import datetime
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
PEERS = {"brian2": "brian2_standalone.py", "genn": "genn.py", "nest": "nest_simulator.py"}
GOLDEN = definition.ROOT / "tests" / "golden" / "nest" / "statistics.json"
NEST_POPULATION = {"E": "excitatory", "I": "inhibitory"}
SIDES = ("rheobase", "peer")
DIFFERENT_NETWORK = 3


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        runs = measure(options, options.build_dir or pathlib.Path(scratch, "build"), pathlib.Path(scratch))
    result = summarise(runs, options)
    print(table(result))
    with open(options.out, "a", encoding="utf-8") as file:
        file.write(json.dumps(record(result)) + "\n")
    return 0 if result["same_network"] else DIFFERENT_NETWORK


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rheobase", type=pathlib.Path, required=True, help="the program, built with --release")
    parser.add_argument("--network", choices=definition.NETWORKS, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE",
                        help="passed on to Rheobase, e.g. weight_storage=quantised")
    parser.add_argument("--peer", choices=PEERS, required=True)
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has the peer installed")
    parser.add_argument("--threads", type=int, default=1, help="of both programs")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count")
    parser.add_argument("--duration", type=definition.positive, default=5.0, help="biological time [s]")
    parser.add_argument("--discard", type=definition.not_negative, default=0.5,
                        help="time from the start left out of the rates, not of the timing [s]")
    parser.add_argument("--precision", choices=("f32", "f64"), default="f32",
                        help="of both programs, where the peer has a choice")
    parser.add_argument("--cpus", help="the processors both run on, e.g. 0,1; by default the last ones")
    parser.add_argument("--tolerance", type=float, default=0.1, help="of rates, relative to the reference")
    parser.add_argument("--build-dir", type=pathlib.Path, help="folder for the peer's generated code")
    parser.add_argument("--out", type=pathlib.Path, default="bench.jsonl", help="file the result is appended to")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: expected 1 or more")
    if options.discard >= options.duration:
        parser.error("--discard: expected less than --duration")
    available = sorted(os.sched_getaffinity(0))
    if not 1 <= options.threads <= len(available):
        parser.error(f"--threads: expected 1 to {len(available)}, the processors there are")
    options.cpus = options.cpus or ",".join(map(str, available[-options.threads:]))
    return options


def measure(options, build_dir, scratch):
    """The counted rounds, each a pair of records."""
    run = {"rheobase": lambda seed: run_rheobase(options, seed, scratch),
           "peer": lambda seed: run_peer(options, seed, build_dir)}
    runs = []
    for n in range(options.rounds + 1):
        pair = {"load_before": os.getloadavg()[0]}
        for who in SIDES if n % 2 == 0 else reversed(SIDES):
            pair[who] = run[who](n + 1)
        a, b = (per_biological_second(pair[who]) for who in SIDES)
        note = " (discarded)" if n == 0 else ""
        print(f"round {n}: {a:.4f} {b:.4f} ratio {b / a:.2f}, load {pair['load_before']:.1f}{note}",
              file=sys.stderr, flush=True)
        if n > 0:
            runs.append(pair)
    return runs


def run_rheobase(options, seed, scratch):
    file, replaced = definition.NETWORKS[options.network]
    entries = [f"{name}={value}" for name, value in replaced.items()] + options.set
    result = run_bound(options, [
        options.rheobase.resolve(), "run", definition.ROOT / "examples" / f"{file}.toml",
        "--json", "--threads", options.threads, "--seed", seed, "--precision", options.precision,
        "--duration", f"{options.duration} s", "--discard", f"{options.discard} s",
        "--out", scratch / "rheobase", "--overwrite", *(a for e in entries for a in ("--set", e))])
    integrators = {p.get("integrator") for p in result["populations"]}
    return {
        "tool": "Rheobase", "version": result["version"], "biological_s": result["biological_s"],
        "simulation_s": result["simulation_s"], "build_s": result["build_s"], "precision": options.precision,
        "seed": seed, "synapses": result["synapses"], "synaptic_events": result["synaptic_events"],
        "peak_rss_bytes": result["peak_rss_bytes"],
        "rate_hz": {p["name"]: p["rate_hz"] for p in result["populations"]},
        "integrator": ", ".join(sorted(i for i in integrators if i)) or "unknown",
    }


def run_peer(options, seed, build_dir):
    name = f"{options.peer}-{options.network}-{options.precision}-{options.threads}"
    return run_bound(options, [
        options.peer_python, HERE / PEERS[options.peer], options.network, "--duration", options.duration,
        "--discard", options.discard, "--seed", seed, "--precision", options.precision,
        "--threads", options.threads, "--build-dir", build_dir.resolve() / name])


def run_bound(options, command):
    """The JSON a program ends its standard output with."""
    command = ["taskset", "-c", options.cpus, *map(str, command)]
    threads = {n: str(options.threads) for n in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def per_biological_second(result):
    return result["simulation_s"] / result["biological_s"]


def reference_rates(network, of_peer):
    """What the rates should be [Hz], by population, and where they are from."""
    if network == "microcircuit":
        return definition.read(network).reference_hz, "published rates"
    if network == "microcircuit_10":
        return of_peer, "the peer"
    with open(GOLDEN, encoding="utf-8") as file:
        golden = json.load(file)
    summary = golden["networks"][network]["summary"]
    return {name: summary[long]["rate_hz"]["mean"] for name, long in NEST_POPULATION.items()}, golden["tool"]


def summarise(runs, options):
    names = runs[0]["peer"]["rate_hz"]
    mean = {who: {name: statistics.fmean(pair[who]["rate_hz"][name] for pair in runs) for name in names}
            for who in SIDES}
    reference, source = reference_rates(options.network, mean["peer"])
    sides = {}
    for who in SIDES:
        records, rates = [pair[who] for pair in runs], mean[who]
        sides[who] = {
            **{k: records[0][k] for k in ("tool", "version", "integrator", "precision")},
            "s_per_biological_s": spread([per_biological_second(r) for r in records]),
            "build_s": statistics.median(r["build_s"] for r in records),
            "rate_hz": rates,
            "rate_error": max(abs(rates[name] / reference[name] - 1.0) for name in reference),
        }
    return {
        "network": options.network, "set": options.set, "rounds": len(runs), "biological_s": options.duration,
        "threads": options.threads, **sides,
        "ratio": spread([per_biological_second(p["peer"]) / per_biological_second(p["rheobase"]) for p in runs]),
        "reference_hz": reference, "reference": source,
        "same_network": all(side["rate_error"] <= options.tolerance for side in sides.values()),
        "pairs": runs,
    }


def spread(values):
    """Median and quartiles by nearest rank towards the ends, as `rheobase bench`."""
    values = sorted(values)
    quarter = (len(values) - 1) // 4
    return {"median": statistics.median(values), "low": values[quarter], "high": values[-1 - quarter],
            "n": len(values)}


def record(result):
    """The line of `rheobase bench` that says the same."""
    ours, peer = (result[who] for who in SIDES)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": ours["version"], "quick": False, "question": "peers",
        "case": {"network": result["network"], "peer": f"{peer['tool']} {peer['version']}",
                 "integrators": f"{ours['integrator']} / {peer['integrator']}",
                 "precision": f"{ours['precision']} / {peer['precision']}",
                 "storage": "quantised" if "weight_storage=quantised" in result["set"] else "exact"},
        "threads": result["threads"],
        "figures": {"s_per_biological_s": ours["s_per_biological_s"],
                    "peer_s_per_biological_s": peer["s_per_biological_s"], "ratio": result["ratio"],
                    "build_s": ours["build_s"], "peer_build_s": peer["build_s"],
                    "rate_error": ours["rate_error"], "peer_rate_error": peer["rate_error"],
                    "same_network": result["same_network"]},
        "machine": {"cpu": processor(), "cores": len(os.sched_getaffinity(0)),
                    "os": platform.system().lower(), "arch": platform.machine()},
        "details": result,
    }


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def table(result):
    names = list(result["reference_hz"])
    lines = [
        f"{result['network']}, {result['biological_s']} s, {result['threads']} threads, {result['rounds']} pairs",
        "",
        "| | wall s per biological s (quartiles) | " + " | ".join(f"{n} [Hz]" for n in names) + " | integrator |",
        "|---|---|" + "---|" * (len(names) + 1),
    ]
    for side in (result[who] for who in SIDES):
        time = side["s_per_biological_s"]
        rates = " | ".join(f"{side['rate_hz'][n]:.2f}" for n in names)
        lines.append(f"| {side['tool']} {side['version']} {side['precision']} | {time['median']:.4f} "
                     f"({time['low']:.4f}–{time['high']:.4f}) | {rates} | {side['integrator']} |")
    reference = " | ".join(f"{result['reference_hz'][n]:.2f}" for n in names)
    ratio = result["ratio"]
    lines += [f"| {result['reference']} | | {reference} | |", "",
              f"ratio within pairs, peer / Rheobase: {ratio['median']:.2f} ({ratio['low']:.2f}–{ratio['high']:.2f})"]
    if not result["same_network"]:
        lines.append("the rates differ from the reference by more than the tolerance: NOT the same network")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
