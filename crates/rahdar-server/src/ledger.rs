//! What became of everything that was sent: the books of a collector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rahdar_model::Address;
use rahdar_model::fact::Loss;
use rahdar_wire::Account;

/// The counts of a collector since it was started.
///
/// In datagrams, for everything sent to its sockets:
///
/// ```text
/// sent = Σ exporters (spooled + queue_drop + rate_limited) + rejected + Σ sockets kernel_drop
/// ```
///
/// and for every exporter, once the spool has been read:
///
/// ```text
/// spooled + recovered = understood + waiting + no_template + in_error
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By exporter.
    pub exporters: BTreeMap<Address, Exporter>,
    /// Datagrams that the kernel dropped, by socket. Whose they were is not known.
    pub kernel_drop: BTreeMap<String, u64>,
    /// Datagrams and connections of senders that may not send.
    pub rejected: u64,
    /// Streams that ended because what came was no IPFIX.
    pub broken_streams: u64,
    /// Flows of days beyond what one segment may touch, refused so that no exporter can scatter the
    /// table over centuries.
    pub scattered: u64,
    /// Rows stored.
    pub rows: u64,
    /// Commits.
    pub commits: u64,
    /// Times that the store did not take rows. The spool kept them.
    pub store_failures: u64,
    /// Octets that the spool holds now.
    pub spool_octets: u64,
    /// Octets that the spool may hold.
    pub spool_octets_max: u64,
}

/// The counts of one exporter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exporter {
    /// Datagrams and messages written to the spool.
    pub spooled: u64,
    /// Those that were in the spool, or waited for a template, when the collector was started.
    pub recovered: u64,
    /// Datagrams dropped because the spool was full or could not be written.
    pub queue_drop: u64,
    /// Datagrams dropped because the exporter sent more than it may.
    pub rate_limited: u64,
    /// What became of those that were read.
    pub account: Account,
}

impl Exporter {
    /// Datagrams and messages that have been taken and not been read yet.
    pub fn unread(&self) -> u64 {
        (self.spooled + self.recovered).saturating_sub(self.account.messages)
    }
}

/// What a metric is called, what it counts, and where it is found.
type Counter<T> = (&'static str, &'static str, fn(&T) -> u64);

/// The counters of an exporter.
const OF_EXPORTER: [Counter<Exporter>; 14] = [
    ("spooled", "Datagrams and messages written to the spool.", |of| of.spooled),
    ("recovered", "Datagrams and messages found in the spool at the start.", |of| of.recovered),
    ("queue_drop", "Datagrams dropped because the spool was full or failed.", |of| of.queue_drop),
    ("rate_limited", "Datagrams beyond the rate of the exporter.", |of| of.rate_limited),
    ("understood", "Messages that were read whole.", |of| of.account.understood),
    ("waiting", "Messages that wait for a template.", |of| of.account.waiting),
    ("no_template", "Messages whose template did not come.", |of| of.account.no_template),
    ("decode_error", "Messages of which something was not understood.", |of| of.account.in_error),
    ("records_decoded", "Records understood.", |of| of.account.tally.decoded),
    ("records_held", "Sets of records that wait.", |of| of.account.tally.held),
    ("records_refused", "Records not understood.", |of| of.account.tally.refused),
    ("templates_redefined", "Templates announced again with another meaning.", |of| of.account.redefined),
    ("lost_messages", "Messages missing by sequence number.", |of| of.account.lost_messages),
    ("lost_records", "Records missing by sequence number.", |of| of.account.lost_records),
];

/// The counters of the whole.
const OF_ALL: [Counter<Ledger>; 8] = [
    ("rejected", "Datagrams and connections of senders that may not send.", |of| of.rejected),
    ("broken_streams", "Streams that were no IPFIX.", |of| of.broken_streams),
    ("scattered", "Flows refused for being of too many days.", |of| of.scattered),
    ("rows", "Rows stored.", |of| of.rows),
    ("commits", "Commits.", |of| of.commits),
    ("store_failures", "Times that the store did not take rows.", |of| of.store_failures),
    ("spool_octets", "Octets that the spool holds.", |of| of.spool_octets),
    ("spool_octets_max", "Octets that the spool may hold.", |of| of.spool_octets_max),
];

/// The counters that can fall.
const GAUGES: [&str; 4] = ["waiting", "records_held", "spool_octets", "spool_octets_max"];

impl Ledger {
    /// The counts of an exporter.
    pub(crate) fn of(&mut self, exporter: Address) -> &mut Exporter {
        self.exporters.entry(exporter).or_default()
    }

    /// Adds what became of what was read.
    pub(crate) fn add(&mut self, read: &Self) {
        self.rows += read.rows;
        self.commits += read.commits;
        self.scattered += read.scattered;
        for (exporter, of_exporter) in &read.exporters {
            let own = self.of(*exporter);
            own.recovered += of_exporter.recovered;
            own.account.add_growth(&Account::default(), &of_exporter.account);
        }
    }

    /// Datagrams lost for this cause, over all exporters; for causes that are known when they come.
    pub fn datagrams_lost(&self, cause: Loss) -> u64 {
        let of_exporters = |count: fn(&Exporter) -> u64| self.exporters.values().map(count).sum();
        match cause {
            Loss::KernelDrop => self.kernel_drop.values().sum(),
            Loss::Rejected => self.rejected,
            Loss::RateLimited => of_exporters(|of| of.rate_limited),
            Loss::QueueDrop => of_exporters(|of| of.queue_drop),
            Loss::NoTemplate => of_exporters(|of| of.account.no_template),
            Loss::DecodeError => of_exporters(|of| of.account.in_error),
            Loss::Sequence => of_exporters(|of| of.account.lost_messages),
        }
    }

    /// The counts as text that Prometheus reads (exposition format 0.0.4).
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        for (name, about, count) in OF_ALL {
            head(&mut text, name, about);
            line(&mut text, name, None, count(self));
        }
        head(&mut text, "kernel_drop", "Datagrams that the kernel dropped.");
        for (socket, drops) in &self.kernel_drop {
            line(&mut text, "kernel_drop", Some(("socket", socket)), *drops);
        }
        for (name, about, count) in OF_EXPORTER {
            head(&mut text, name, about);
            for (address, exporter) in &self.exporters {
                line(&mut text, name, Some(("exporter", &address.to_string())), count(exporter));
            }
        }
        text
    }
}

fn is_gauge(name: &str) -> bool {
    GAUGES.contains(&name)
}

/// Counters end in `_total`, gauges do not.
fn suffix(name: &str) -> &'static str {
    if is_gauge(name) { "" } else { "_total" }
}

fn head(text: &mut String, name: &str, about: &str) {
    let kind = if is_gauge(name) { "gauge" } else { "counter" };
    let suffix = suffix(name);
    // Writing to a text cannot fail.
    let _ = write!(
        text,
        "# HELP rahdar_collector_{name}{suffix} {about}\n# TYPE rahdar_collector_{name}{suffix} {kind}\n"
    );
}

/// One count. Labels are addresses and sockets: they hold nothing that must be escaped.
fn line(text: &mut String, name: &str, label: Option<(&str, &str)>, count: u64) {
    let label = label.map(|(key, value)| format!("{{{key}=\"{value}\"}}")).unwrap_or_default();
    let suffix = suffix(name);
    let _ = writeln!(text, "rahdar_collector_{name}{suffix}{label} {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_what_prometheus_reads() {
        let mut ledger = Ledger { rejected: 3, ..Ledger::default() };
        ledger.of("192.0.2.1".parse().unwrap()).spooled = 7;
        ledger.kernel_drop.insert("udp 192.0.2.9:2055".to_owned(), 2);
        let text = ledger.metrics();
        for line in [
            "# TYPE rahdar_collector_rejected_total counter",
            "rahdar_collector_rejected_total 3",
            "rahdar_collector_kernel_drop_total{socket=\"udp 192.0.2.9:2055\"} 2",
            "rahdar_collector_spooled_total{exporter=\"192.0.2.1\"} 7",
            "# TYPE rahdar_collector_spool_octets gauge",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.rsplit_once(' ').unwrap().1.parse::<u64>().is_ok(), "{line}");
        }
    }
}
