//! Runs targets without coverage: on a file, at random, and to hand out the inputs that are kept.
//!
//! ```text
//! cc-fuzz list                              the targets' names, with the longest input each
//! cc-fuzz run TARGET FILE...                each file once: how a finding is repeated
//! cc-fuzz random TARGET SECONDS [SEED [RUNS]]
//!                                           changed inputs for so long, RUNS at most; a finding is written to a file
//! cc-fuzz inputs TARGET FOLDER              golden vectors and corpus, a file each
//! ```
//! Exit codes: 0 done, 1 the target panicked or a file could not be read, 2 wrong arguments.

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cc_fuzz::{committed, find, seeds, Mutator, Target, TARGETS};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let target = words.get(1).and_then(|name| find(name));
    let result = match (words.as_slice(), target) {
        (["list"], _) => {
            TARGETS.iter().for_each(|target| println!("{} {}", target.name, target.max_len));
            Ok(())
        }
        (["run", _, files @ ..], Some(target)) if !files.is_empty() => repeat(target, files),
        (["random", _, seconds, rest @ ..], Some(target)) if rest.len() < 3 => random(target, seconds, rest),
        (["inputs", _, folder], Some(target)) => inputs(target, Path::new(folder)),
        _ => {
            eprintln!(
                "cc-fuzz: list | run TARGET FILE... | random TARGET SECONDS [SEED [RUNS]] | inputs TARGET FOLDER"
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cc-fuzz: {error}");
            ExitCode::from(1)
        }
    }
}

fn repeat(target: &Target, files: &[&str]) -> Result<(), Box<dyn Error>> {
    for file in files {
        let data = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        (target.run)(&data);
        println!("{file}: held");
    }
    Ok(())
}

fn random(target: &Target, seconds: &str, rest: &[&str]) -> Result<(), Box<dyn Error>> {
    let seconds: u64 = seconds.parse().map_err(|_| format!("{seconds} is no number of seconds"))?;
    let seed = rest.first().map_or(Ok(1), |seed| seed.parse()).map_err(|_| "the seed is no number")?;
    let most = rest.get(1).map_or(Ok(u64::MAX), |runs| runs.parse()).map_err(|_| "the runs are no number")?;
    let mut pool = seeds(target.name);
    pool.extend(committed(target.name));
    let mut mutator = Mutator::new(seed, pool, target.max_len);
    let (began, mut runs) = (Instant::now(), 0_u64);
    while runs < most && began.elapsed() < Duration::from_secs(seconds) {
        let input = mutator.next_input();
        if std::panic::catch_unwind(|| (target.run)(&input)).is_err() {
            let path = PathBuf::from(format!("{}-{seed}-{runs}.input", target.name));
            std::fs::write(&path, &input)?;
            return Err(format!("{} does not hold for {}", target.name, path.display()).into());
        }
        runs += 1;
    }
    println!("{} {runs} runs in {:.1} s", target.name, began.elapsed().as_secs_f64());
    Ok(())
}

fn inputs(target: &Target, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let all = seeds(target.name).into_iter().map(|input| ("vector", input));
    for (at, (kind, input)) in all.chain(committed(target.name).into_iter().map(|input| ("kept", input))).enumerate() {
        std::fs::write(folder.join(format!("{kind}-{at:04}")), input)?;
    }
    Ok(())
}
