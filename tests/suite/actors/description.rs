//! Actors in network files and in the builder: what is refused, and why.

use std::sync::Arc;

use rheobase::engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase::engine::network::{Actor, Edge, Network};
use rheobase::engine::plan::NodeKind;
use rheobase::engine::port::{
    ActorContext, ActorError, ActorPort, ActorPorts, ActorType, UserActor,
};
use rheobase::prelude::{Population, Projection};

use super::resolve;

/// As many neurons as its argument says, and a port of ten.
struct Sized;

impl ActorType for Sized {
    fn arguments(&self) -> &'static [ArgumentSpec] {
        &[ArgumentSpec {
            name: "neurons",
            kind: ArgumentKind::Integer,
            default: Some("7"),
            doc: "neurons of the actor",
        }]
    }

    fn ports(&self, arguments: &Arguments) -> Result<ActorPorts, ArgumentError> {
        let neurons = arguments.integer("neurons")?;
        if neurons > 100 {
            return Err(ArgumentError::new(
                "neurons",
                format!("{neurons} are too many"),
            ));
        }
        Ok(ActorPorts::emitting_spikes([neurons]).input(ActorPort::spikes("in", 10)))
    }

    fn instantiate(&self, _: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
        Err(ActorError::new("it is never built"))
    }
}

const TEXT: &str = r#"
[populations.n]
model = "iaf_psc_exp"
size = 10
[actors.plant]
model = "sized"
neurons = 12
[[edges]]
source = "n"
target = "plant"
delay = "1 ms"
[[projections]]
source = "plant"
target = "n"
port = "ex"
rule = "all_to_all"
weight = "1 pA"
delay = "1 ms"
"#;

fn sized() -> Arc<dyn ActorType> {
    Arc::new(Sized)
}

#[test]
fn arguments_make_the_shape() {
    for (text, size) in [(TEXT.to_owned(), 12), (TEXT.replace("neurons = 12", ""), 7)] {
        let plan = resolve(&text, &[("sized", &sized)]).unwrap_or_else(|e| panic!("{e}"));
        let node = &plan.nodes[1];
        assert_eq!((node.name.as_str(), node.size()), ("plant", size));
        assert!(matches!(&node.kind, NodeKind::Actor(a) if a.model == "sized"));
    }
}

#[test]
fn the_builder_and_the_file_say_the_same() {
    let built = Network::builder("network")
        .population("n", Population::new("iaf_psc_exp", 10))
        .actor("plant", Actor::new("sized").argument("neurons", 12))
        .edge(Edge::new("n", "plant").delay("1 ms"))
        .projection(
            Projection::new("plant", "n")
                .port("ex")
                .weight("1 pA")
                .delay("1 ms"),
        )
        .build()
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(built, Network::from_toml(TEXT, "test").unwrap());
    assert_eq!(
        Network::from_toml(&built.to_toml().unwrap(), "").unwrap(),
        built
    );
    assert_eq!(
        Network::from_json(&built.to_json().unwrap(), "").unwrap(),
        built
    );
}

#[test]
fn wrong_descriptions_are_told_apart() {
    let cases = [
        (
            "model = \"sized\"",
            "model = \"size\"",
            "actors.plant.model: unknown actor `size`; did you mean `sized`?",
        ),
        (
            "neurons = 12",
            "neurons = 101",
            "actors.plant.neurons: 101 are too many",
        ),
        ("neurons = 12", "nerons = 12", "did you mean `neurons`?"),
        (
            "neurons = 12",
            "neurons = 0",
            "actors.plant: a node has from 1 to",
        ),
        (
            "size = 10",
            "size = 9",
            "edges[0]: `n` has 9 elements, the port `in` of `plant` takes 10",
        ),
        (
            "delay = \"1 ms\"\n[[proj",
            "port = \"out\"\n[[proj",
            "edges[0].port: unknown port `out`",
        ),
        (
            "[[edges]]\nsource = \"n\"\ntarget = \"plant\"\ndelay = \"1 ms\"",
            "",
            "actors.plant: 0 edges lead to its port `in`; it takes one",
        ),
        (
            "[[projections]]",
            "[[edges]]\nsource = \"n\"\ntarget = \"plant\"\ndelay = \"1 ms\"\n[[projections]]",
            "actors.plant: 2 edges lead to its port `in`",
        ),
        (
            "target = \"plant\"\ndelay = \"1 ms\"",
            "target = \"plant\"",
            "edges[0]: the delay is 0 on the cycle",
        ),
        (
            "[populations.n]",
            "batch = 2\n[populations.n]",
            "actors.plant: an actor runs once: a network with actors has no batch, this one has 2",
        ),
        (
            "[actors.plant]",
            "[actors.n]",
            "actors.n: the name `n` is taken by another population",
        ),
    ];
    for (from, to, message) in cases {
        assert!(TEXT.contains(from), "{from}");
        let errors = resolve(&TEXT.replacen(from, to, 1), &[("sized", &sized)]);
        let told = errors.err().map_or_else(String::new, |e| e.to_string());
        assert!(told.contains(message), "expected {message}\nfound {told}");
    }
    let errors = resolve(TEXT, &[]).err().unwrap().to_string();
    assert!(
        errors.contains("actors are Rust types that a program registers"),
        "{errors}"
    );
}

#[test]
fn ports_take_what_they_declare() {
    let text = TEXT.replace("[[projections]]", "[layers.l]\nmodel = \"linear\"\nout_features = 10\n[[edges]]\nsource = \"n\"\ntarget = \"l\"\n[[projections]]");
    let text = text.replacen(
        "source = \"n\"\ntarget = \"plant\"",
        "source = \"l\"\ntarget = \"plant\"",
        1,
    );
    let errors = resolve(&text, &[("sized", &sized)])
        .err()
        .unwrap()
        .to_string();
    assert!(
        errors.contains("`l` emits real values, the port `in` of `plant` takes spikes"),
        "{errors}"
    );
}
