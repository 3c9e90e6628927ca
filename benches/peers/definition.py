"""The networks a peer is asked to run, read from the very files Rheobase runs.

A peer script gets a `Definition` in base units (ms, mV, pA, pF, nS, 1/ms) and builds it with its own
public interface. Only what the compared networks hold is understood: populations of one model,
Poisson background, projections with constant or normal weights and delays. Anything else is refused:
a network that is nearly the same is no comparison.
"""
import argparse
import json
import math
import pathlib
import tomllib
from dataclasses import dataclass, field

from expressions import Scope

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Name, file and what replaces entries of its `parameters`.
NETWORKS = {
    "coba": ("coba", {}),
    "cuba": ("cuba", {}),
    "brunel": ("brunel", {}),
    "microcircuit_10": ("microcircuit", {"scale": 0.1}),
    "microcircuit": ("microcircuit", {"scale": 1}),
}
MODELS = ("iaf_cond_exp", "iaf_psc_exp", "iaf_psc_delta")
RULES = {"pairwise_bernoulli": "p", "fixed_indegree": "indegree", "fixed_total_number": "n"}
WHOLE = ("fixed_indegree", "fixed_total_number")


class DefinitionError(Exception):
    """The description is outside the class of networks compared here."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution, drawn again while outside [low, high]."""

    mean: float
    sd: float
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Population:
    """Neurons that share every parameter."""

    size: int
    parameters: dict[str, float]
    v: object
    """Initial potential: a number, a pair (uniform), a `Normal`, or None (e_l)."""


@dataclass(frozen=True)
class Background:
    """Independent Poisson input of every neuron of a population."""

    target: str
    port: str
    rate: float
    """Events per ms."""
    weight: float


@dataclass(frozen=True)
class Projection:
    """Synapses from one population onto another. Weights keep the sign of the file."""

    source: str
    target: str
    port: str
    rule: str
    amount: float
    """p, in-degree or number of synapses, as the rule says."""
    weight: float | Normal
    delay: float | Normal


@dataclass(frozen=True)
class Definition:
    """A network in base units."""

    name: str
    model: str
    populations: dict[str, Population]
    backgrounds: list[Background]
    projections: list[Projection]
    dt_ms: float
    reference_hz: dict[str, float] = field(default_factory=dict)
    """Rates the file itself names, by population."""

    @property
    def sizes(self):
        return {name: p.size for name, p in self.populations.items()}


def the_one(values, what):
    """The value all of `values` agree on."""
    first, *rest = values
    if any(value != first for value in rest):
        raise DefinitionError(f"{what}: expected one value for all")
    return first


def read(name):
    """The network called `name` in `NETWORKS`."""
    file, replaced = NETWORKS[name]
    with open(ROOT / "examples" / f"{file}.toml", "rb") as opened:
        return from_table(name, tomllib.load(opened), replaced)


def from_table(name, table, replaced):
    scope = Scope(table.get("parameters", {}) | replaced)
    model = the_one([p["model"] for p in table["populations"].values()], "model")
    if model not in MODELS:
        raise DefinitionError(f"model {model}: expected one of {', '.join(MODELS)}")
    populations = {n: population(p, scope) for n, p in table["populations"].items()}
    rates = {n: scope(f"rate_{n}") * 1e3 for n in populations if f"rate_{n}" in scope.texts}
    return Definition(
        name=name, model=model, populations=populations,
        backgrounds=[b for s in table.get("stimuli", {}).values() for b in background(s, scope)],
        projections=[q for p in table["projections"] for q in projection(p, scope)],
        dt_ms=scope(table["dt"]), reference_hz=rates,
    )


def population(table, scope):
    initial = table.get("initial", {})
    if set(initial) - {"v"}:
        raise DefinitionError("initial: expected v and nothing else")
    parameters = {"i_e": 0.0} | {n: scope(v) for n, v in table["parameters"].items()}
    return Population(whole(scope(table["size"])), parameters, drawn(initial.get("v"), scope))


def background(table, scope):
    if table["model"] != "poisson_background":
        raise DefinitionError("stimuli: expected poisson_background")
    rate, weight = scope(table["rate"]), scope(table["weight"])
    return [Background(t, table["port"], rate, weight) for t in names(table["target"])]


def projection(table, scope):
    (rule, arguments), = table["rule"].items()
    if RULES.get(rule) is None or list(arguments) != [RULES[rule]]:
        raise DefinitionError(f"rule {rule}: expected one of {', '.join(RULES)} with its default options")
    amount = scope(arguments[RULES[rule]])
    amount = whole(amount) if rule in WHOLE else amount
    weight, delay = drawn(table, scope, "weight"), drawn(table, scope, "delay")
    return [Projection(table["source"], target, table["port"], rule, amount, weight, delay)
            for target in names(table["target"])]


def drawn(table, scope, key=None):
    """A constant, a pair (uniform) or a `Normal`."""
    value = table.get(key) if key else table
    if value is None or not isinstance(value, dict):
        return None if value is None else scope(value)
    bounds = {k: scope(v) for k, v in value.get("redraw", {}).items()}
    match {k: v for k, v in value.items() if k != "redraw"}:
        case {"uniform": [low, high], **rest} if not rest and not bounds:
            return (scope(low), scope(high))
        case {"normal": {"mean": mean, "sd": sd}, **rest} if not rest:
            return Normal(scope(mean), scope(sd), bounds.get("min", -math.inf), bounds.get("max", math.inf))
    raise DefinitionError(f"{key or 'initial'}: {value} is not understood")


def names(entry):
    return [entry] if isinstance(entry, str) else list(entry)


def whole(x):
    """As Rheobase: the nearest whole number."""
    return math.floor(x + 0.5)


def arguments(description, *, threads=True):
    """What every peer script is asked."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--duration", type=positive, default=1.0, help="biological time [s]")
    parser.add_argument("--discard", type=not_negative, default=0.0,
                        help="time from the start left out of the rates, not of the timing [s]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("f32", "f64"), default="f32")
    parser.add_argument("--build-dir", type=pathlib.Path,
                        help="folder for generated code, used again by the next run")
    options = parser.parse_args()
    if options.discard >= options.duration:
        parser.error("--discard: expected less than --duration")
    if options.threads < 1 or (options.threads > 1 and not threads):
        parser.error("--threads: expected 1" + (" or more" if threads else ", this program has no more"))
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
        "tool": tool, "version": version, "network": options.network, "threads": options.threads,
        "biological_s": options.duration, "simulation_s": simulation_s, "build_s": build_s,
        "rate_hz": rate_hz, "integrator": integrator, "precision": options.precision,
        "seed": options.seed, **more,
    }), flush=True)
