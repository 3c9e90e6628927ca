//! `neuron!` from outside: errors a user sees, and a crate that depends on nothing but `rheobase`.

use std::process::Command;

use crate::harness;

#[test]
fn wrong_texts_are_compile_errors_with_line_and_column() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}

/// The crate in `tests/outside` is no member of the workspace. It defines a neuron with `neuron!`
/// and one as a Rust type, runs both, and compares their bits with the built-in one's.
#[test]
fn a_crate_outside_the_workspace_defines_neurons() {
    let manifest = harness::root().join("tests/outside/Cargo.toml");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| harness::root().join("target"), std::path::PathBuf::from)
        .join("outside");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    println!("{out}");
    assert!(out.contains("same bits"), "{out}");
}
