//! `clutchcall-netproxy`: the network model of `cc-netem` in front of real UDP sockets.
//!
//! Clients send to `--listen`; each gets a path of its own and a socket towards `--to`, so that the target tells them
//! apart. One thread moves all packets by the real clock; a second one only reads commands. Standard output is one
//! JSON object a line (`report.rs`), standard input one command a line (`commands.rs`); its end is the proxy's end.
//!
//! Exit codes: 0 ended by command, 1 failed at its work, 2 wrong arguments. An error is one line on standard error.
#![forbid(unsafe_code)]

mod alarm;
mod client;
mod commands;
mod held;
mod options;
mod profiles;
mod proxy;
mod report;
mod spread;

use std::process::ExitCode;

use options::{Options, Parsed};

/// Why the program ends without having done its work, in a line.
#[derive(Debug)]
enum Fault {
    /// What it was told cannot be: exit code 2.
    Arguments(String),
    /// It cannot do what it was told: exit code 1.
    Work(String),
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Help) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(problem) => return failed(&Fault::Arguments(problem)),
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(&fault),
    }
}

fn run(options: Options) -> Result<(), Fault> {
    let profile = profiles::load(options.profiles.as_deref(), &options.profile).map_err(Fault::Arguments)?;
    alarm::allow_many_sockets();
    proxy::Proxy::open(options, profile)?.run()
}

fn failed(fault: &Fault) -> ExitCode {
    let (problem, code) = match fault {
        Fault::Arguments(problem) => (problem, 2),
        Fault::Work(problem) => (problem, 1),
    };
    eprintln!("netem: {problem}");
    ExitCode::from(code)
}
