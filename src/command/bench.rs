//! `rheobase bench`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rheobase::bench::{
    BenchError, Host, QUESTIONS, Question, Record, Setting, read_records, table,
};

use super::{Failure, print};

/// Arguments of `rheobase bench`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rheobase bench --list\n  rheobase bench limits delivery\n  rheobase bench scaling --quick --json\n  rheobase bench --table bench.jsonl\n\nEach answer is a line of JSON in --out: what was measured, medians and quartiles, machine, version,\ndate. `scaling` draws scaling.svg and scaling.png beside it. Measure on an otherwise idle machine."
)]
pub(crate) struct Arguments {
    /// Questions to ask; all of them if none is named.
    questions: Vec<String>,
    /// List the questions.
    #[arg(long)]
    list: bool,
    /// Small sizes and few rounds: shows that everything works, and measures nothing worth keeping.
    #[arg(long)]
    quick: bool,
    /// Print the lines of JSON and nothing else.
    #[arg(long)]
    json: bool,
    /// File that answers are appended to.
    #[arg(long, value_name = "FILE", default_value = "bench.jsonl")]
    out: PathBuf,
    /// Most worker threads; by default the processor's.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Networks that `training` (A, B, C, D, G), `latency` (mlp, recurrent, conv) and `device` (coba,
    /// brunel, microcircuit) measure; all of them if none is named.
    #[arg(
        long,
        value_name = "NETWORK",
        num_args = 1..,
        value_parser = [
            "A", "B", "C", "D", "G", "mlp", "recurrent", "conv", "coba", "brunel", "microcircuit",
        ],
    )]
    networks: Vec<String>,
    /// Print the tables of files of answers, and measure nothing.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        conflicts_with_all = ["questions", "list", "quick", "json", "out", "threads", "networks"]
    )]
    table: Vec<PathBuf>,
}

pub(crate) fn bench(arguments: &Arguments) -> Result<(), Failure> {
    let questions = chosen(&arguments.questions)?;
    if arguments.list {
        return list(&questions, arguments.json);
    }
    if !arguments.table.is_empty() {
        return print_table(&arguments.table);
    }
    check_networks(&questions, &arguments.networks)?;
    let setting = setting(arguments)?;
    let mut file = open(&arguments.out)?;
    let host = Host::detect();
    if !arguments.json {
        print(&format!("{}\n", host.describe()))?;
    }
    for question in questions {
        if !arguments.json {
            print(&format!("\n{}: {}\n", question.name, question.why))?;
        }
        ask(question, &setting, &host, arguments, &mut file)?;
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Question>, Failure> {
    if names.is_empty() {
        return Ok(QUESTIONS.iter().collect());
    }
    let find = |name: &String| {
        Question::find(name).ok_or_else(|| {
            let known: Vec<&str> = QUESTIONS.iter().map(|q| q.name).collect();
            Failure::Input(format!(
                "unknown question `{name}`; expected {}",
                known.join(", ")
            ))
        })
    };
    names.iter().map(find).collect()
}

fn list(questions: &[&Question], json: bool) -> Result<(), Failure> {
    let mut text = String::new();
    for question in questions {
        if json {
            let object = serde_json::json!({"question": question.name, "why": question.why});
            text.push_str(&format!("{object}\n"));
        } else {
            text.push_str(&format!("{:<14} {}\n", question.name, question.why));
        }
    }
    print(&text)
}

/// Every network that is named belongs to a question that is asked.
fn check_networks(questions: &[&Question], networks: &[String]) -> Result<(), Failure> {
    let of = |question: &Question| match question.name {
        "training" => &["A", "B", "C", "D", "G"][..],
        "latency" => &["mlp", "recurrent", "conv"],
        "device" => &["coba", "brunel", "microcircuit"],
        _ => &[],
    };
    let is_asked = |name: &&String| questions.iter().any(|q| of(q).contains(&name.as_str()));
    match networks.iter().find(|name| !is_asked(name)) {
        None => Ok(()),
        Some(name) => Err(Failure::Input(format!(
            "--networks {name}: no question that is asked measures it; training has A, B, C, D and G, \
             latency mlp, recurrent and conv, device coba, brunel and microcircuit"
        ))),
    }
}

fn print_table(files: &[PathBuf]) -> Result<(), Failure> {
    let mut records = Vec::new();
    for file in files {
        let read = read_records(file).map_err(|e| Failure::Input(format!("--table: {e}")))?;
        records.extend(read);
    }
    print(&table(&records))
}

fn setting(arguments: &Arguments) -> Result<Setting, Failure> {
    let program = std::env::current_exe()
        .map_err(|e| Failure::Run(format!("where this program lies: {e}")))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let folder = arguments.out.parent().unwrap_or(Path::new(""));
    Ok(Setting {
        quick: arguments.quick,
        threads: arguments.threads.map_or(cores, usize::from),
        program,
        folder: folder.to_owned(),
        networks: arguments.networks.clone(),
        allocations: Some(crate::allocations::of_this_thread),
    })
}

/// Before anything is measured, so that nobody waits for answers that cannot be kept.
fn open(path: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|e| Failure::Input(format!("--out {}: {e}", path.display())))
}

fn ask(
    question: &Question,
    setting: &Setting,
    host: &Host,
    arguments: &Arguments,
    file: &mut File,
) -> Result<(), Failure> {
    let mut unsaid = None;
    let outcome = question.ask(setting, &mut |measurement| {
        let sentence = measurement.sentence();
        let line = Record::now(measurement, host, setting.quick).to_line();
        // In one write, so that programs that append to the same file do not mix their lines.
        file.write_all(line.as_bytes())
            .map_err(|source| BenchError::Io {
                path: arguments.out.clone(),
                source,
            })?;
        // What is measured is kept, also where nobody reads along any more.
        if unsaid.is_none() {
            unsaid = print(if arguments.json { &line } else { &sentence }).err();
        }
        Ok(())
    });
    match outcome {
        // Nobody asked for it by name.
        Err(e) if arguments.questions.is_empty() && has_no_device(&e) => {
            eprintln!("{}: not measured: {e}", question.name);
        }
        outcome => outcome.map_err(|e| Failure::Run(format!("{}: {e}", question.name)))?,
    }
    unsaid.map_or(Ok(()), Err)
}

#[cfg(feature = "gpu")]
fn has_no_device(error: &BenchError) -> bool {
    use rheobase::engine::backend::gpu::GpuError;
    matches!(error, BenchError::Device(GpuError::NoAdapter { .. }))
}

#[cfg(not(feature = "gpu"))]
fn has_no_device(_: &BenchError) -> bool {
    false
}
