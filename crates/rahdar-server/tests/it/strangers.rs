//! A flood of datagrams whose senders may not send leaves a number behind, and nothing else
//! (reliability.md §3).

use crate::made;
use crate::process::{Process, Setup, free_port};
use crate::running::Sender;
use crate::tier::Tier;

/// Datagrams of each stranger. The kernel's buffer holds those of several, so that none is lost before the gate.
const OF_EACH: u64 = 100;

/// What memory may grow by.
const GROWTH_MAX_KIB: u64 = 8 << 10;

#[test]
fn a_flood_of_strangers_leaves_one_number() {
    let tier = Tier::of("strangers");
    let strangers = tier.choose(500u64, 10_000);
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { allow: "127.0.0.1/32", rows_per_second: Some(1_000_000), ..Setup::new(free_port()) };
    let process = Process::start(folder.path(), &setup, &[]);
    let to = format!("127.0.0.1:{}", setup.port).parse().unwrap();
    Sender::new(to).send(&made::v5(0, 30));
    process.until(|metrics| metrics.sum("rows_stored_total ") == 30);
    let (lines, (before, _)) = (process.metrics().lines(), process.memory_kib());

    let datagram = made::v5(0, 30);
    for stranger in 0..strangers {
        let sender = Sender::from(&format!("127.1.{}.{}:0", stranger / 250, 1 + stranger % 250), to);
        for _ in 0..OF_EACH {
            sender.send(&datagram);
        }
        process.until(|metrics| metrics.lost("rejected") >= (stranger + 1) * OF_EACH);
    }
    let (metrics, (_, peak)) = (process.metrics(), process.memory_kib());
    tier.say(&format!(
        "{} datagrams of {strangers} strangers, {} rejected, {before} KiB before, {peak} KiB at most",
        strangers * OF_EACH,
        metrics.lost("rejected")
    ));
    assert_eq!(metrics.lost("rejected"), strangers * OF_EACH);
    assert_eq!(metrics.lines(), lines, "somebody is remembered");
    assert!(peak < before + GROWTH_MAX_KIB, "{before} KiB, then {peak} KiB");
    let (_, metrics) = process.terminate();
    assert_eq!((metrics.sum("messages_spooled_total{"), metrics.sum("rows_stored_total ")), (1, 30));
}
