//! The command line of rahdar: `main()` and one file per verb, each a thin call.

mod beacons;
mod calibrate;
mod clock;
mod command;
mod demo;
mod events;
mod failure;
mod files;
mod flows;
mod home;
mod hunt;
mod intel;
mod networks;
mod output;
mod register;
mod report;
mod scenario;
mod shelf;
mod uploads;

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser};

use crate::command::{Command, Events, Flows, Intel, Networks, Scenario, Verb};
use crate::home::Home;

/// Says something on standard error, where people look and programs do not.
macro_rules! note {
    ($($part:tt)*) => { $crate::output::note(&format!($($part)*)) };
}
pub(crate) use note;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All was done.
    Done,
    /// Done, but some input was refused.
    Refused,
}

fn main() -> ExitCode {
    let command = Command::parse();
    match run(&command) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(3),
        Err(error) => {
            note!("error: {}", failure::told(&error));
            if let Some(hint) = failure::hint(&error) {
                note!("hint: {hint}");
            }
            if error.is::<failure::Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(command: &Command) -> anyhow::Result<Outcome> {
    let global = &command.global;
    let home = || Home::open(global.home.as_deref());
    // Commands that expect a home warn if it is missing.
    let held = || Home::held(global.home.as_deref());
    match &command.verb {
        Verb::Demo(args) => demo::run(&home()?, args),
        Verb::Scenario(Scenario::Roshan2021 { out, settings }) => scenario::run(out, settings),
        Verb::Flows(Flows::Import(args)) => flows::import::run(&home()?, args, global.format),
        Verb::Flows(Flows::Follow(args)) => flows::follow::run(&home()?, args, global.format),
        Verb::Flows(Flows::Collect(args)) => flows::collect::run(&home()?, args, global.format),
        Verb::Flows(Flows::Sql(args)) => flows::sql::run(&held()?, args, global.format),
        Verb::Flows(Flows::Coverage(args)) => {
            flows::coverage::run(&held()?, &args.period, args.hourly, global.format)
        }
        Verb::Flows(Flows::Scanners(args)) => flows::scanners::run(&held()?, args, global.format),
        Verb::Flows(Flows::Compact(args)) => flows::upkeep::run(&held()?, args, global.format),
        Verb::Intel(Intel::Import(args)) => intel::import::run(&home()?, args, global.format),
        Verb::Intel(Intel::Sync(args)) => intel::sync::run(&home()?, args, global.format),
        Verb::Intel(Intel::Accept(args)) => intel::accept::run(&home()?, args, global.format),
        Verb::Intel(Intel::List(args)) => intel::list::run(&held()?, args, global.format),
        Verb::Intel(Intel::Lookup { subject, at }) => {
            intel::lookup::run(&held()?, subject, *at, global.format)
        }
        Verb::Intel(Intel::Pivot(args)) => intel::pivot::run(&held()?, args, global.format),
        Verb::Networks(Networks::Import(args)) => networks::run(&home()?, args, global.format),
        Verb::Events(Events::Import { file }) => events::run(&home()?, file, global.format),
        Verb::Hunt(args) => hunt::run(&held()?, args, global.format),
        Verb::Calibrate(args) => calibrate::run(&held()?, args, global.format),
        Verb::Report(args) => report::run(&held()?, args),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Command::command(), "rahdar", &mut script);
            output::line(String::from_utf8(script)?.trim_end())?;
            Ok(Outcome::Done)
        }
        Verb::Man { dir } => {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
            clap_mangen::generate_to(Command::command(), dir).context("cannot write the man pages")?;
            Ok(Outcome::Done)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Command::command().debug_assert();
    }
}
