//! `cargo xtask new neuron NAME`: a neuron file that runs as it stands, and its registry line.

use crate::Failure;
use crate::tidy::NEURON_HEADINGS;
use crate::workspace::Workspace;

const FOLDER: &str = "components/src/neuron";
const REGISTRY: &str = "components/src/neuron.rs";

pub(crate) fn neuron(workspace: &Workspace, name: &str) -> Result<(), Failure> {
    check_name(name)?;
    let file = format!("{FOLDER}/{name}.rheo");
    if workspace.exists(&file) {
        return Err(Failure::failed(format!("{file} exists already")));
    }
    let registry = workspace.read(REGISTRY);
    let registered = register(&registry, name);
    write(workspace, &file, &text(name))?;
    println!("wrote      {file}");
    match registered {
        Some(registry) => {
            write(workspace, REGISTRY, &registry)?;
            println!("registered {REGISTRY}");
        }
        None => println!("register   it in {REGISTRY}, as the neurons there"),
    }
    println!(
        "\nNow:\n  1. write its equations and what its headings ask for ({})\n  \
         2. try it:            cargo run --release -- models {name}\n  \
         3. add a reference:   tests/golden/ (another program's output, or a closed form)\n  \
         4. test:              cargo test --release -p rheobase-components\n  \
         5. say so:            one line in CHANGELOG.md",
        NEURON_HEADINGS.join(", ")
    );
    Ok(())
}

fn check_name(name: &str) -> Result<(), Failure> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let rest = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if first && rest && name.len() <= 64 {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "`{name}`: a neuron's name starts with a lower-case letter and goes on with lower-case letters, digits and `_`, 64 at most"
    )))
}

fn write(workspace: &Workspace, file: &str, text: &str) -> Result<(), Failure> {
    std::fs::write(workspace.path(file), text).map_err(|e| Failure::failed(format!("{file}: {e}")))
}

/// The registry with the last neuron's line repeated for `name`; `None` where that line is not
/// complete in itself.
fn register(registry: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = registry.lines().collect();
    let last = lines
        .iter()
        .rposition(|l| l.contains(".rheo\"") && !l.trim_start().starts_with("//"))?;
    let line = lines[last];
    let stem = line.split(".rheo\"").next()?.rsplit(['/', '"']).next()?;
    let balanced = line.matches(['(', '[']).count() == line.matches([')', ']']).count();
    if stem.is_empty() || !balanced || !line.trim_end().ends_with([',', ';']) {
        return None;
    }
    let mut all: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
    all.insert(last + 1, line.replace(stem, name));
    // An array that states its length has one more.
    for l in all[..last].iter_mut().rev() {
        if let Some(grown) = grown_length(l) {
            *l = grown;
            break;
        }
    }
    Some(all.join("\n") + "\n")
}

/// `…; 6] = [` with the number raised by one.
fn grown_length(line: &str) -> Option<String> {
    let (head, tail) = line.split_once("] = [")?;
    let (head, length) = head.rsplit_once("; ")?;
    let n: usize = length.parse().ok()?;
    Some(format!("{head}; {}] = [{tail}", n + 1))
}

/// A neuron that fires regularly as it stands.
fn text(name: &str) -> String {
    format!(
        "# One sentence: what this neuron is.
#
# Equations
#   dv/dt = (e_l - v)/tau_m + i_e/c_m
#   an event of weight w: v += w
#   spike where v >= v_th; then v = v_reset for t_ref
#
# Update scheme
#   Exact: the propagator of the linear equation.
#
# Parameters
#   tau_m    ms   10   > 0   membrane time constant
#   c_m      pF   250  > 0   membrane capacitance
#   e_l      mV   -70        resting potential
#   v_th     mV   -55        threshold
#   v_reset  mV   -70        potential after a spike
#   t_ref    ms   2    >= 0  refractory time, a whole number of steps
#   i_e      pA   0          constant current
#
# State
#   v  mV  e_l  membrane potential
#
# Semantics
#   A step integrates, then lets events act, then tests the threshold. Events that arrive while
#   refractory are dropped.
#
# Source
#   Authors and year, DOI, numbers of the equations; or a program, its version and its defaults.
#
# Example
#   A constant i_e = 500 pA fires the neuron every 2 + 10*ln(4) = 15.9 ms.

neuron {name} \"One sentence: what this neuron is\"
  parameter tau_m = 10 ms \"membrane time constant\"
  parameter c_m = 250 pF \"membrane capacitance\"
  parameter e_l = -70 mV \"resting potential\"
  parameter v_th = -55 mV \"threshold\"
  parameter v_reset = -70 mV \"potential after a spike\"
  parameter t_ref = 2 ms \"refractory time\"
  parameter i_e = 0 pA \"constant current\"
  dv/dt = (e_l - v)/tau_m + i_e/c_m : mV = e_l (unless refractory) \"potential\"
  input delta(w : mV): v += w (unless refractory) \"jump of the potential\"
  spike when v >= v_th, reset v = v_reset, refractory t_ref
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_added_and_a_length_grows() {
        let registry = "const ZOO: [(&str, &str); 2] = [\n    (\"lif\", include_str!(\"neuron/lif.rheo\")),\n    (\"iaf\", include_str!(\"neuron/iaf.rheo\")),\n];\n";
        let grown = register(registry, "mine").unwrap();
        assert!(grown.contains("; 3] = ["), "{grown}");
        assert!(grown.contains("(\"iaf\", include_str!(\"neuron/iaf.rheo\")),\n    (\"mine\", include_str!(\"neuron/mine.rheo\")),\n];"), "{grown}");
    }

    #[test]
    fn a_broken_line_is_left_to_people() {
        assert_eq!(
            register("    file(\n        \"neuron/lif.rheo\"\n    ),\n", "mine"),
            None
        );
    }

    #[test]
    fn the_scaffold_has_every_heading() {
        let text = text("mine");
        for heading in NEURON_HEADINGS {
            assert!(text.contains(&format!("\n# {heading}\n")), "{heading}");
        }
    }

    #[test]
    fn names_that_are_no_identifiers_are_refused() {
        for name in ["", "Iaf", "2x", "a-b", "../a"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("iaf_psc_exp2").is_ok());
    }
}
