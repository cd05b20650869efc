//! Whatever is sent, by whomever, at whatever rate: the books balance to the last datagram
//! (reliability.md R4).

use std::sync::Arc;
use std::time::Duration;

use rahdar_model::Address;
use rahdar_model::fact::Loss;
use rahdar_server::{Exporters, Ledger, Rate};
use rahdar_testkit::NaiveStore;

use crate::made;
use crate::pace::paced;
use crate::running::{Running, Sender, settings};
use crate::store::Slow;
use crate::tier::Tier;

/// What the store takes, in datagrams a second: 1x.
const CAPACITY: u64 = 500;

/// Records of each datagram that can be read.
const RECORDS: u32 = 30;

/// Who sends, by the last octet of its address on loopback.
const NETFLOW: u8 = 1;
const IPFIX: u8 = 2;
/// Its template never comes, and what it sends takes so much room that the first of it has to go.
const UNTOLD: u8 = 3;
/// What it sends is no export.
const NOISE: u8 = 4;
/// It may not send.
const STRANGER: u8 = 5;

/// Sets of each datagram of [`UNTOLD`]: as many as are read of one.
const SETS: usize = 1_000;

/// Why something is lost.
const CAUSES: [Loss; 6] = [
    Loss::KernelDrop,
    Loss::QueueDrop,
    Loss::RateLimited,
    Loss::Rejected,
    Loss::NoTemplate,
    Loss::DecodeError,
];

/// Who sends the n-th datagram.
fn who(n: u64) -> u8 {
    match n % 20 {
        0 => NOISE,
        1 => UNTOLD,
        2 => STRANGER,
        3 | 4 => IPFIX,
        _ => NETFLOW,
    }
}

fn address(host: u8) -> Address {
    format!("127.0.0.{host}").parse().unwrap()
}

/// Sends everything at this many times the capacity. Returns what became of it, in words, and what was lost of
/// each of [`CAUSES`].
fn run(times: u64, lasting: Duration) -> (String, [u64; 6]) {
    let spool = tempfile::tempdir().unwrap();
    // Of twenty datagrams seventeen hold records.
    let slow = Arc::new(Slow::new(CAPACITY * u64::from(RECORDS) * 17 / 20));
    let mut settings = settings(spool.path());
    settings.exporters =
        Exporters::Only([NETFLOW, IPFIX, UNTOLD, NOISE].map(|host| address(host).into()).to_vec());
    settings.rate = Rate { per_second: 2 * CAPACITY as u32, burst: CAPACITY as u32 };
    settings.spool_octets_max = 1 << 20;
    settings.segment_octets = 1 << 16;
    settings.buffer_octets = 64 << 10;
    let running = Running::start(settings, Arc::new(NaiveStore::guarded(slow.clone())));
    let senders = [1, 2, 3, 4, 5].map(|host| Sender::from(&format!("127.0.0.{host}:0"), running.udp[0]));
    let mut sent = [0u32; 5];
    let mut total = paced(times * CAPACITY, lasting, |n| {
        let host = who(n);
        let of = usize::from(host) - 1;
        let before = sent[of] * RECORDS;
        let datagram = match host {
            NETFLOW | STRANGER => made::v5(before, RECORDS as u16),
            IPFIX => made::ipfix(before, 1, &[made::template(), made::numbered_flows(before, RECORDS)]),
            UNTOLD => made::ipfix(before, 1, &vec![made::small_set(); SETS]),
            _ => b"no export".to_vec(),
        };
        senders[of].send(&datagram);
        sent[of] += 1;
    });
    if times > 2 {
        let crowd = crowd(&senders[usize::from(STRANGER) - 1]);
        total += u64::from(crowd);
        sent[usize::from(STRANGER) - 1] += crowd;
    }
    let (ledger, _) = running.stop();
    let said = check(&ledger, &slow, total, sent);
    (said, CAUSES.map(|cause| ledger.datagrams_lost(cause)))
}

/// Sends as fast as eight threads can, so that the kernel drops however idle the machine is. Returns how many.
fn crowd(sender: &Sender) -> u32 {
    const THREADS: u32 = 8;
    const EACH: u32 = 5_000;
    let datagram = made::v5(0, RECORDS as u16);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..EACH).for_each(|_| sender.send(&datagram)));
        }
    });
    THREADS * EACH
}

/// The equation, in datagrams and in records. Returns what became of everything.
#[track_caller]
fn check(ledger: &Ledger, slow: &Slow, total: u64, sent: [u32; 5]) -> String {
    let of = |host: u8| ledger.exporters.get(&address(host)).copied().unwrap_or_default();
    let mut taken_or_lost = ledger.rejected + ledger.datagrams_lost(Loss::KernelDrop);
    for exporter in ledger.exporters.values() {
        let account = &exporter.account;
        assert_eq!(exporter.unread(), 0, "{ledger:#?}");
        assert!(account.balances(), "{account:?}");
        taken_or_lost += account.understood + account.waiting + account.no_template + account.in_error;
        taken_or_lost += exporter.queue_drop + exporter.rate_limited;
    }
    assert_eq!(taken_or_lost, total, "{ledger:#?}");
    // Only the kernel does not say whose they were.
    let mut unclaimed = u64::from(sent[usize::from(STRANGER) - 1]) - ledger.rejected;
    for host in [NETFLOW, IPFIX, UNTOLD, NOISE] {
        let of = of(host);
        unclaimed +=
            u64::from(sent[usize::from(host) - 1]) - of.account.messages - of.queue_drop - of.rate_limited;
    }
    assert_eq!(unclaimed, ledger.datagrams_lost(Loss::KernelDrop), "{ledger:#?}");

    let read = of(NETFLOW).account.understood + of(IPFIX).account.understood;
    assert_eq!(ledger.rows, read * u64::from(RECORDS));
    for cause in [Loss::KernelDrop, Loss::QueueDrop, Loss::RateLimited, Loss::Rejected, Loss::DecodeError] {
        assert_eq!(slow.lost(cause), ledger.datagrams_lost(cause), "{cause} as gaps");
    }
    let lost = |cause| ledger.datagrams_lost(cause);
    format!(
        "{total} sent, {read} stored, {} wait, {} kernel_drop, {} queue_drop, {} rate_limited, {} rejected, {} no_template, {} decode_error; \
         residual 0",
        of(UNTOLD).account.waiting,
        lost(Loss::KernelDrop),
        lost(Loss::QueueDrop),
        lost(Loss::RateLimited),
        lost(Loss::Rejected),
        lost(Loss::NoTemplate),
        lost(Loss::DecodeError)
    )
}

#[test]
fn what_was_sent_was_stored_or_lost_for_a_reason() {
    let tier = Tier::of("balance");
    let lasting = tier.lasting(Duration::from_secs(5), Duration::from_secs(60));
    let mut lost = [0; 6];
    for n in 0..tier.choose(3, 20) {
        let times = [1, 2, 10][n % 3];
        let (said, of_run) = run(times, lasting);
        tier.say(&format!("run {n}, {times}x for {lasting:?}: {said}"));
        for (lost, of_run) in lost.iter_mut().zip(of_run) {
            *lost += of_run;
        }
    }
    for (cause, lost) in CAUSES.iter().zip(lost) {
        assert!(lost > 0, "nothing was lost by {cause}: the equation was not tried with it");
    }
}
