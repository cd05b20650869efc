//! What became of everything that was sent: the books of a collector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rahdar_model::Address;
use rahdar_model::fact::Loss;
use rahdar_wire::Account;

/// The exporter in gaps and metrics of datagrams whose senders may not send.
pub(crate) const STRANGERS: &str = "strangers";

/// Exporters that are counted apart. Chosen here: four times as many as are let in at the same time. The others
/// share the counts of [`Address::UNSPECIFIED`].
const EXPORTERS_MAX: usize = 16_384;

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
/// spooled + recovered = understood + waiting + no_template + in_error + damaged
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
    /// Datagrams and messages that were taken, and lost with a damaged segment of the spool.
    pub damaged: u64,
    /// Datagrams dropped because the exporter sent more than it may.
    pub rate_limited: u64,
    /// What became of those that were read.
    pub account: Account,
}

impl Exporter {
    /// Datagrams and messages that have been taken and not been read yet.
    pub fn unread(&self) -> u64 {
        (self.spooled + self.recovered).saturating_sub(self.account.messages + self.damaged)
    }
}

/// What a metric is called, what it counts, and where it is found. Counters end in `_total`; what
/// does not is a gauge (Prometheus, "Metric and label naming").
type Metric<T> = (&'static str, &'static str, fn(&T) -> u64);

/// Metrics of every exporter.
const OF_EXPORTER: [Metric<Exporter>; 10] = [
    ("messages_spooled_total", "Datagrams and messages written to the spool.", |of| of.spooled),
    ("messages_recovered_total", "Datagrams and messages found in the spool at the start.", |of| {
        of.recovered
    }),
    ("messages_understood_total", "Messages that were read whole.", |of| of.account.understood),
    ("messages_waiting", "Messages that wait for a template.", |of| of.account.waiting),
    ("messages_missing_total", "Messages missing by sequence number.", |of| of.account.lost_messages),
    ("records_missing_total", "Records missing by sequence number.", |of| of.account.lost_records),
    ("records_decoded_total", "Records understood.", |of| of.account.tally.decoded),
    ("records_refused_total", "Records not understood.", |of| of.account.tally.refused),
    ("sets_waiting", "Sets of records that wait.", |of| of.account.tally.held),
    ("templates_redefined_total", "Templates announced again with another meaning.", |of| {
        of.account.redefined
    }),
];

/// Metrics of the whole.
const OF_ALL: [Metric<Ledger>; 7] = [
    ("rows_stored_total", "Rows stored.", |of| of.rows),
    ("commits_total", "Commits.", |of| of.commits),
    ("store_failures_total", "Times that the store did not take rows.", |of| of.store_failures),
    ("flows_scattered_total", "Flows refused for being of too many days.", |of| of.scattered),
    ("streams_broken_total", "Streams that were no IPFIX.", |of| of.broken_streams),
    ("spool_bytes", "What the spool holds.", |of| of.spool_octets),
    ("spool_limit_bytes", "What the spool may hold.", |of| of.spool_octets_max),
];

/// A cause of loss, and where its count is found.
type Lost = (Loss, fn(&Exporter) -> u64);

/// Why messages that are known to be of an exporter are lost.
const LOST: [Lost; 4] = [
    (Loss::QueueDrop, |of| of.queue_drop + of.damaged),
    (Loss::RateLimited, |of| of.rate_limited),
    (Loss::NoTemplate, |of| of.account.no_template),
    (Loss::DecodeError, |of| of.account.in_error),
];

impl Ledger {
    /// The counts of an exporter.
    pub(crate) fn of(&mut self, exporter: Address) -> &mut Exporter {
        let is_full = self.exporters.len() >= EXPORTERS_MAX && !self.exporters.contains_key(&exporter);
        self.exporters.entry(if is_full { Address::UNSPECIFIED } else { exporter }).or_default()
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
            Loss::QueueDrop => of_exporters(|of| of.queue_drop + of.damaged),
            Loss::NoTemplate => of_exporters(|of| of.account.no_template),
            Loss::DecodeError => of_exporters(|of| of.account.in_error),
            Loss::Sequence => of_exporters(|of| of.account.lost_messages),
        }
    }

    /// The counts as text that Prometheus reads (exposition format 0.0.4).
    ///
    /// `messages_lost_total` has every loss once, so that their sum is what was lost. Its label `exporter` says
    /// what the column of the table `gaps` says: an address, or the socket of which the kernel
    /// dropped, or `strangers`.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        for (name, about, count) in OF_ALL {
            head(&mut text, name, about);
            line(&mut text, name, &[], count(self));
        }
        head(&mut text, "messages_lost_total", "Datagrams and messages that were sent and not stored.");
        let mut lost = |exporter: &str, cause: Loss, messages: u64| {
            line(
                &mut text,
                "messages_lost_total",
                &[("exporter", exporter), ("reason", cause.word())],
                messages,
            );
        };
        lost(STRANGERS, Loss::Rejected, self.rejected);
        for (socket, drops) in &self.kernel_drop {
            lost(socket, Loss::KernelDrop, *drops);
        }
        for (address, exporter) in &self.exporters {
            for (cause, count) in LOST {
                lost(&address.to_string(), cause, count(exporter));
            }
        }
        for (name, about, count) in OF_EXPORTER {
            head(&mut text, name, about);
            for (address, exporter) in &self.exporters {
                line(&mut text, name, &[("exporter", &address.to_string())], count(exporter));
            }
        }
        text
    }
}

fn head(text: &mut String, name: &str, about: &str) {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    // Writing to a text cannot fail.
    let _ = write!(text, "# HELP rahdar_collector_{name} {about}\n# TYPE rahdar_collector_{name} {kind}\n");
}

/// One count. Labels are addresses, sockets and words: they hold nothing that must be escaped.
fn line(text: &mut String, name: &str, labels: &[(&str, &str)], count: u64) {
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "rahdar_collector_{name}{labels} {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_what_prometheus_reads() {
        let mut ledger = Ledger { rejected: 3, ..Ledger::default() };
        let exporter = ledger.of("192.0.2.1".parse().unwrap());
        exporter.spooled = 7;
        exporter.queue_drop = 4;
        ledger.kernel_drop.insert("udp 192.0.2.9:2055".to_owned(), 2);
        let text = ledger.metrics();
        for line in [
            "# TYPE rahdar_collector_messages_lost_total counter",
            "rahdar_collector_messages_lost_total{exporter=\"strangers\",reason=\"rejected\"} 3",
            "rahdar_collector_messages_lost_total{exporter=\"udp 192.0.2.9:2055\",reason=\"kernel_drop\"} 2",
            "rahdar_collector_messages_lost_total{exporter=\"192.0.2.1\",reason=\"queue_drop\"} 4",
            "rahdar_collector_messages_spooled_total{exporter=\"192.0.2.1\"} 7",
            "# TYPE rahdar_collector_spool_bytes gauge",
            "rahdar_collector_spool_bytes 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        let mut of = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("# TYPE ") {
                of = name.split(' ').next().unwrap();
            } else if !line.starts_with('#') {
                assert!(line.starts_with(of), "a metric stands under its own head: {line}");
                assert!(line.rsplit_once(' ').unwrap().1.parse::<u64>().is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn every_datagram_that_is_lost_is_in_the_metrics_once() {
        let mut ledger = Ledger { rejected: 1, ..Ledger::default() };
        ledger.kernel_drop.insert("udp 192.0.2.9:2055".to_owned(), 2);
        let exporter = ledger.of("192.0.2.1".parse().unwrap());
        (exporter.queue_drop, exporter.rate_limited) = (4, 8);
        (exporter.account.no_template, exporter.account.in_error) = (16, 32);
        let lost: u64 = ledger
            .metrics()
            .lines()
            .filter(|line| line.starts_with("rahdar_collector_messages_lost_total{"))
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .sum();
        assert_eq!(lost, 63);
    }
}
