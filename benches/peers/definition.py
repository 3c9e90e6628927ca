"""The networks a peer is asked to run, read from the very files Rheobase runs.

A peer script gets a `Definition` in base units (ms, mV, pA, pF, nS) and builds it with its own
public interface. Only the class of networks compared here is understood: two populations E and I
of one model, wired by pairwise Bernoulli draws with one weight and one delay per projection.
Anything else is refused: a network that is nearly the same is no comparison.
"""
import argparse
import json
import pathlib
import tomllib
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETWORKS = ("coba", "cuba")
MODELS = ("iaf_cond_exp", "iaf_psc_exp")
TO_BASE_UNIT = {
    "s": 1e3, "ms": 1.0, "us": 1e-3,
    "V": 1e3, "mV": 1.0,
    "nA": 1e3, "pA": 1.0,
    "nF": 1e3, "pF": 1.0,
    "uS": 1e3, "nS": 1.0,
}


class DefinitionError(Exception):
    """The description is outside the class of networks compared here."""


@dataclass(frozen=True)
class Definition:
    """A network of two populations in base units."""

    name: str
    model: str
    sizes: dict[str, int]
    parameters: dict[str, float]
    v_range: tuple[float, float]
    probability: float
    weights: dict[str, float]
    """By source population: nS (conductances) or pA (currents)."""
    delay_ms: float
    dt_ms: float


def quantity(text):
    """`"200 pF"` as a number in the base unit of its dimension."""
    number, unit = text.split()
    if unit not in TO_BASE_UNIT:
        raise DefinitionError(f"unit of {text!r}: expected one of {', '.join(TO_BASE_UNIT)}")
    return float(number) * TO_BASE_UNIT[unit]


def the_one(values, what):
    """The value all of `values` agree on."""
    first, *rest = values
    if any(value != first for value in rest):
        raise DefinitionError(f"{what}: expected one value for all")
    return first


def read(name):
    """The network `examples/NAME.toml`."""
    with open(ROOT / "examples" / f"{name}.toml", "rb") as file:
        return from_table(name, tomllib.load(file))


def from_table(name, table):
    populations = table["populations"]
    if list(populations) != ["E", "I"]:
        raise DefinitionError("populations: expected E and I")
    model = the_one([p["model"] for p in populations.values()], "model")
    if model not in MODELS:
        raise DefinitionError(f"model {model}: expected one of {', '.join(MODELS)}")
    parameters = the_one([p["parameters"] for p in populations.values()], "parameters")
    initial = the_one([p["initial"] for p in populations.values()], "initial")
    if list(initial) != ["v"] or list(initial["v"]) != ["uniform"]:
        raise DefinitionError("initial: expected uniform potentials and nothing else")
    projections = table["projections"]
    check_wiring(projections)
    return Definition(
        name=name,
        model=model,
        sizes={n: p["size"] for n, p in populations.items()},
        parameters={"i_e": 0.0} | {n: quantity(v) for n, v in parameters.items()},
        v_range=tuple(quantity(v) for v in initial["v"]["uniform"]),
        probability=the_one([p["rule"]["pairwise_bernoulli"]["p"] for p in projections], "p"),
        weights={p["source"]: quantity(p["weight"]) for p in projections},
        delay_ms=the_one([quantity(p["delay"]) for p in projections], "delay"),
        dt_ms=quantity(table["dt"]),
    )


def check_wiring(projections):
    ports = {p["source"]: p["port"] for p in projections}
    if len(projections) != 2 or ports != {"E": "ex", "I": "in"}:
        raise DefinitionError("projections: expected E on port ex and I on port in")
    for projection in projections:
        if projection["target"] != ["E", "I"] or list(projection["rule"]) != ["pairwise_bernoulli"]:
            raise DefinitionError("projections: expected pairwise_bernoulli onto E and I")


def arguments(description):
    """What every peer script is asked."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--duration", type=positive, default=1.0, help="biological time [s]")
    parser.add_argument("--discard", type=not_negative, default=0.0,
                        help="time from the start left out of the rates, not of the timing [s]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--precision", choices=("f32", "f64"), default="f32")
    parser.add_argument("--build-dir", type=pathlib.Path,
                        help="folder for generated code, used again by the next run")
    options = parser.parse_args()
    if options.discard >= options.duration:
        parser.error("--discard: expected less than --duration")
    return options


def positive(text):
    value = float(text)
    if not 0.0 < value < 1e6:
        raise argparse.ArgumentTypeError("expected a positive number of seconds")
    return value


def not_negative(text):
    return 0.0 if float(text) == 0.0 else positive(text)


def rates(times_ms, sizes, options):
    """Mean rate of each population [Hz] from the times of its spikes [ms]."""
    window_s = options.duration - options.discard
    return {name: int((times > options.discard * 1e3).sum()) / sizes[name] / window_s
            for name, times in times_ms.items()}


def report(tool, version, options, *, build_s, simulation_s, rate_hz, integrator, **more):
    """Prints the one line of JSON a peer script ends with."""
    print(json.dumps({
        "tool": tool, "version": version, "network": options.network,
        "biological_s": options.duration, "simulation_s": simulation_s, "build_s": build_s,
        "rate_hz": rate_hz, "integrator": integrator, "precision": options.precision,
        "seed": options.seed, **more,
    }), flush=True)
