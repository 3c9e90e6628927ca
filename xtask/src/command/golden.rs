//! `cargo xtask golden verify`: the tests that compare with committed references.
//!
//! Making references anew is deliberately no command: they come from other programs, by the script
//! that lies beside them (`tests/golden/nest/README.md`).

use std::process::Stdio;

use crate::Failure;
use crate::workspace::Workspace;

/// Part of the name of every test that reads a golden file.
const FILTER: &str = "golden";

pub(crate) fn verify(workspace: &Workspace) -> Result<(), Failure> {
    let arguments = [
        "test",
        "--workspace",
        "--release",
        "--locked",
        "--lib",
        "--tests",
        "--no-fail-fast",
        "--",
        FILTER,
    ];
    let line = format!("cargo {}", arguments.join(" "));
    eprintln!("$ {line}");
    let output = workspace
        .cargo(&arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Failure::failed(format!("{line}: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told: Vec<&str> = text
        .lines()
        .filter(|l| l.contains(FILTER) || l.starts_with("failures"))
        .collect();
    println!("{}", told.join("\n"));
    let passed = passed(&text);
    match (output.status.success(), passed) {
        (true, 0) => Err(Failure::failed(format!(
            "no test has `{FILTER}` in its name: nothing was verified"
        ))),
        (true, n) => {
            println!("{n} golden tests passed");
            Ok(())
        }
        (false, _) => {
            println!("{text}");
            Err(Failure::failed(format!("{line}: {}", output.status)))
        }
    }
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
    #[test]
    fn passed_tests_are_summed_over_binaries() {
        let text = "test result: ok. 3 passed; 0 failed; 0 ignored\nx\n\
                    test result: FAILED. 2 passed; 1 failed; 0 ignored";
        assert_eq!(super::passed(text), 5);
    }
}
