//! The `rheobase` command.

mod allocations;
mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::{analyze, bench, check, doctor, infer, models, run, train};

/// Spiking neural networks from one description.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Examples:\n  rheobase run examples/coba.toml\n  rheobase train examples/digits.toml\n  rheobase infer examples/digits.toml --weights results/digits/weights.safetensors\n  rheobase analyze results/coba\n  rheobase check my_network.toml\n  rheobase models iaf_psc_exp\n\nExit codes: 0 done, 1 the run failed, 2 wrong input."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a network and writes spikes, traces, statistics and plots.
    Run(run::Arguments),
    /// Trains a network on data and writes weights, metrics and figures.
    Train(train::Arguments),
    /// Judges trained weights on the test part of the data.
    Eval(train::EvalArguments),
    /// Runs a network step by step: steps from standard input, outputs to standard output.
    Infer(infer::Arguments),
    /// Computes tables and plots from the spikes of a results folder.
    Analyze(analyze::Arguments),
    /// Reads a network, checks names, units and sizes, and estimates its memory.
    Check(check::Arguments),
    /// Lists the components, or shows one with its equations.
    Models(models::Arguments),
    /// Looks at this machine and tests the kernels on it.
    Doctor(doctor::Arguments),
    /// Measures what decides how fast networks run on this machine.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Train(arguments) => train::train(&arguments),
        Command::Eval(arguments) => train::eval(&arguments),
        Command::Infer(arguments) => infer::infer(&arguments),
        Command::Analyze(arguments) => analyze::analyze(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Models(arguments) => models::models(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
