//! `cargo xtask mercure-conformance`.

use std::process::ExitCode;
use tidings_conformance::options::USAGE;
use tidings_conformance::{Options, run};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args
        .iter()
        .any(|arg| matches!(&**arg, "help" | "--help" | "-h"))
    {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&args) {
        Ok(options) => options,
        Err(error) => return refuse(&format!("{error}\n\n{USAGE}")),
    };
    let told = |line: &tidings_conformance::Line| {
        if !options.json {
            println!("{line}");
        }
    };
    match run(&options, told) {
        Ok(report) => {
            match options.json {
                true => println!("{}", report.to_json()),
                false => println!("\n{report}"),
            }
            match report.breaks_a_must() {
                true => ExitCode::FAILURE,
                false => ExitCode::SUCCESS,
            }
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("{}", error.trim_end());
    ExitCode::from(2)
}
