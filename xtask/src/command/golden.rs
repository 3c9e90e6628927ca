//! `cargo xtask golden verify`: the tests that compare with committed references.
//!
//! Making references anew is deliberately no command: they come from other programs, by the script
//! that lies beside them (`tests/golden/nest/README.md`).

use std::process::Stdio;

use crate::Failure;
use crate::workspace::Workspace;

/// Where references lie.
const FOLDER: &str = "tests/golden/";

pub(crate) fn verify(workspace: &Workspace) -> Result<(), Failure> {
    let tests = golden_tests(workspace);
    if tests.is_empty() {
        return Err(Failure::failed(format!(
            "no test reads {FOLDER}: nothing to verify"
        )));
    }
    let mut command = workspace.cargo(&[
        "test",
        "--workspace",
        "--release",
        "--locked",
        "--lib",
        "--tests",
        "--no-fail-fast",
        "--",
    ]);
    command.args(&tests);
    eprintln!("$ cargo test … -- {}", tests.join(" "));
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Failure::failed(format!("cargo test: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        println!("{text}");
        return Err(Failure::failed(format!("cargo test: {}", output.status)));
    }
    for line in text.lines().filter(|l| l.starts_with("test ")) {
        println!("{line}");
    }
    let passed = passed(&text);
    if passed < tests.len() {
        return Err(Failure::failed(format!(
            "{} tests read {FOLDER}, but only {passed} ran",
            tests.len()
        )));
    }
    println!("{passed} golden tests passed");
    Ok(())
}

/// Names of the test functions in files that name the folder of references.
fn golden_tests(workspace: &Workspace) -> Vec<String> {
    let mut tests: Vec<String> = workspace
        .files("", &["rs"])
        .filter(|f| !f.starts_with("xtask/"))
        .map(|f| workspace.read(f))
        .filter(|text| text.contains(FOLDER))
        .flat_map(|text| test_names(&text))
        .collect();
    tests.sort();
    tests.dedup();
    tests
}

/// Functions under `#[test]`, but for those that are ignored.
fn test_names(text: &str) -> Vec<String> {
    let code = crate::rust_source::code(text);
    code.split("#[test]")
        .skip(1)
        .filter_map(|rest| {
            let (attributes, rest) = rest.split_once("fn ")?;
            let name = rest.split(['(', '<']).next()?.trim();
            (!attributes.contains("#[ignore")).then(|| name.to_owned())
        })
        .collect()
}

/// Sum of the tests that passed, over all test binaries.
fn passed(output: &str) -> usize {
    output
        .lines()
        .filter_map(|l| l.strip_prefix("test result: "))
        .filter_map(|l| {
            l.split_once(". ")?
                .1
                .split_once(" passed")?
                .0
                .parse::<usize>()
                .ok()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_summed_over_binaries() {
        let text = "test result: ok. 3 passed; 0 failed; 0 ignored\nx\n\
                    test result: FAILED. 2 passed; 1 failed; 0 ignored";
        assert_eq!(passed(text), 5);
    }

    #[test]
    fn tests_are_found_by_name() {
        let text = "#[test]\nfn a() {}\n#[test]\n#[ignore = \"slow\"]\nfn b() {}\nfn c() {}\n\
                    #[test]\n#[should_panic]\nfn d() {}";
        assert_eq!(test_names(text), ["a", "d"]);
    }
}
