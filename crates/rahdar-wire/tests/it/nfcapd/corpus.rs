//! Real files, read in place.

use std::fs::File;
use std::path::Path;

use rahdar_model::{Quality, Tally};
use rahdar_testkit::corpus;
use rahdar_wire::Options;

use crate::kept::{Kept, decode_all};

/// The real files, and their flows, packets and octets by `nfdump -I` (`TOTALS.csv`). The two of
/// Net-NfDump nfdump cannot read any more; theirs are those of the header.
pub(crate) const FILES: [(&str, [u64; 3]); 8] = [
    ("chrispassas-nfdump/nfcapd.sample", [3_018, 43_558, 27_576_229]),
    ("chrispassas-nfdump/nfcapd-small-lzo", [10, 123_000, 87_993_000]),
    ("chrispassas-nfdump/nfcapd-large-bz2", [100_000, 551_025_205, 417_073_490_515]),
    ("chrispassas-nfdump/nfcapd-empty", [0, 0, 0]),
    ("chrispassas-nfdump/nfcapd-corrupt", [0, 0, 0]),
    ("re-exported/dcrat/nfpcapd.nfcapd.202402260000", [144, 1_728, 788_127]),
    ("Net-NfDump/data1", [8_170, 8_534, 2_641_163]),
    ("Net-NfDump/data2", [8_170, 8_534, 2_641_163]),
];

fn read(corpus: &Path, file: &str) -> (Kept, Tally) {
    let path = corpus.join("flow-exports").join(file);
    let (kept, result) = decode_all(File::open(path).unwrap(), &Options::default());
    (kept, result.unwrap())
}

#[test]
fn flows_packets_and_octets_are_those_of_nfdump() {
    let Some(corpus) = corpus() else { return };
    for (file, expected) in FILES {
        let (kept, tally) = read(&corpus, file);
        assert_eq!([tally.decoded, kept.packets(), kept.octets()], expected, "{file}");
        assert_eq!(tally.refused > 0, file.ends_with("corrupt"), "{file}: {:?}", kept.problems);
    }
}

#[test]
fn what_the_manifest_says_of_them_holds() {
    let Some(corpus) = corpus() else { return };
    let (kept, _) = read(&corpus, "chrispassas-nfdump/nfcapd-large-bz2");
    let scaled = kept.flows.iter().filter(|flow| flow.quality.contains(Quality::ALREADY_SCALED));
    let mut count = 0;
    for flow in scaled {
        assert_eq!(flow.packets % u64::from(flow.sampling_interval.unwrap()), 0, "{flow:?}");
        count += 1;
    }
    assert!(count > 99_000, "{count}");
    let (kept, _) = read(&corpus, "chrispassas-nfdump/nfcapd.sample");
    let mended = kept.flows.iter().filter(|flow| flow.quality.contains(Quality::END_BEFORE_START));
    assert_eq!((mended.count(), kept.gaps.len(), kept.gaps[0].lost), (668, 1, 53));
    let (kept, _) = read(&corpus, "re-exported/dcrat/nfpcapd.nfcapd.202402260000");
    assert!(kept.flows.iter().all(|flow| flow.sampling_interval == Some(1)));
    let (kept, _) = read(&corpus, "chrispassas-nfdump/nfcapd-corrupt");
    let promise = "input: the file says that it holds `39584` flows; `0` are read";
    assert_eq!(kept.problems().last().map(String::as_str), Some(promise));
    assert_eq!(kept.problems.len(), 5, "{:?}", kept.problems);
}
