//! `rahdar flows collect`: what exporters send, live, into the flow table.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rahdar_model::Prefix;
use rahdar_model::store::{Cell, Table};
use rahdar_server::{Exporters, Inherited, Ledger, Rate, Server, ServerError, Settings, stop_on_signals};

use super::upkeep::{self, Upkeep};
use crate::Outcome;
use crate::clock::SystemClock;
use crate::command::{FlowsCollect, Format};
use crate::failure::Usage;
use crate::home::Home;
use crate::{note, output};

/// Seconds' worth of datagrams that an exporter may send at once, as [`Rate`] has it by default.
const BURST_S: u32 = 10;

/// Collects until SIGTERM or SIGINT, and prints what became of everything that was sent.
///
/// The spool is the folder `spool` of the home. What it holds when the collector ends is stored
/// at the next start.
pub(crate) fn run(home: &Home, args: &FlowsCollect, format: Format) -> anyhow::Result<Outcome> {
    // While there is but this thread: it changes the environment.
    let inherited = Inherited::take()?;
    let stop = stop_on_signals().context("signals cannot be caught")?;
    let lake = home.lake()?;
    let server = Server::open(settings(home, args), inherited, Arc::new(SystemClock));
    let server = server.map_err(|error| match error {
        ServerError::NoSocket => Usage(error.to_string()).into(),
        error => anyhow::Error::from(error),
    })?;
    let ledger = thread::scope(|scope| {
        // Beside the server: while files are merged, datagrams are spooled and stored.
        scope.spawn(|| {
            let mut upkeep = Upkeep::default();
            while stop.wait(upkeep::EVERY) {
                upkeep.tend(&lake);
            }
        });
        let ledger = server.run(&lake, &stop, &mut |notice| note!("{notice}"));
        stop.stop();
        ledger
    });
    note!("{}", summary(&ledger));
    output::print(&table(&ledger), format)?;
    Ok(Outcome::Done)
}

fn settings(home: &Home, args: &FlowsCollect) -> Settings {
    let mut settings = Settings::new(home.path().join("spool"));
    // Datagrams say themselves what they are.
    settings.udp = args.netflow.iter().chain(&args.sflow).copied().collect();
    settings.tcp.clone_from(&args.ipfix_tcp);
    settings.exporters = if args.accept_any {
        Exporters::Any
    } else {
        let named = args.exporter.iter().map(|(_, address)| Prefix::from(*address));
        Exporters::Only(args.exporter_allow.iter().copied().chain(named).collect())
    };
    settings.rate = Rate { per_second: args.rate_limit, burst: args.rate_limit.saturating_mul(BURST_S) };
    settings.http = args.http;
    for (name, address) in &args.exporter {
        settings.told.entry(*address).or_default().name = Some(name.as_str().into());
    }
    for (of, interval) in &args.sampling {
        match of {
            Some(address) => settings.told.entry(*address).or_default().sampling = Some(*interval),
            None => settings.options.sampling = Some(*interval),
        }
    }
    for of in &args.flows_sampled {
        match of {
            Some(address) => settings.told.entry(*address).or_default().flows_sampled = true,
            None => settings.options.flows_sampled = true,
        }
    }
    settings.spool_octets_max = args.spool_max;
    settings.commit_every = Duration::from_secs(args.commit_every);
    settings
}

/// What is known of the whole, and of no exporter.
fn summary(ledger: &Ledger) -> String {
    let kernel_drop: u64 = ledger.kernel_drop.values().sum();
    let mut text = format!(
        "{} flows stored in {} commits; {kernel_drop} datagrams dropped by the kernel, {} rejected",
        ledger.rows, ledger.commits, ledger.rejected
    );
    if ledger.scattered > 0 {
        text += &format!("; {} flows refused for being of too many days", ledger.scattered);
    }
    if ledger.spool_octets > 0 {
        text += &format!("; {} octets are left in the spool for the next start", ledger.spool_octets);
    }
    text
}

/// What became of the datagrams of each exporter.
fn table(ledger: &Ledger) -> Table {
    let count = |n: u64| Cell::Int(n.try_into().unwrap_or(i64::MAX));
    let columns = [
        "exporter",
        "spooled",
        "recovered",
        "queue_drop",
        "rate_limited",
        "understood",
        "waiting",
        "no_template",
        "decode_error",
        "flows",
        "lost_datagrams",
        "lost_records",
    ];
    let rows = ledger.exporters.iter().map(|(address, exporter)| {
        let account = &exporter.account;
        let counts = [
            exporter.spooled,
            exporter.recovered,
            exporter.queue_drop + exporter.damaged,
            exporter.rate_limited,
            account.understood,
            account.waiting,
            account.no_template,
            account.in_error,
            account.tally.flows,
            account.lost_messages,
            account.lost_records,
        ];
        [Cell::Text(address.to_string())].into_iter().chain(counts.map(count)).collect()
    });
    Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() }
}
