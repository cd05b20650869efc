//! A host that knocks at many clusters within the hour is a sandbox, a researcher or a scanner
//! (`methods.md` §2.2).
//!
//! A prober calls, in vain, addresses of [`CLUSTERS`] clusters or [`ADDRESSES`] addresses within
//! one hour: −15 dB on all that it touched in that hour. Only calls that got nowhere make a prober.
//!
//! Calls to an address that was called on several days and never answered (*silent*, G1 of +4) may be
//! those of malware that goes through its own list of dead servers. They count towards the clusters, for
//! malware of one group has no servers of three, and not towards the addresses. Wrong for a host that
//! several groups infected.
//!
//! ```
//! use rahdar_hunt::evidence::prober::{Knock, hours};
//! use rahdar_model::Timestamp;
//!
//! let knock = |minute: i64, remote: u32, cluster: usize| Knock {
//!     at: Timestamp::from_seconds(minute * 60),
//!     remote: rahdar_model::Address::from_v4_bits(remote),
//!     cluster,
//!     is_silent: false,
//! };
//! assert_eq!(hours(vec![knock(0, 1, 1), knock(5, 2, 2), knock(50, 3, 3)]).len(), 1);
//! assert!(hours(vec![knock(0, 1, 1), knock(5, 2, 2), knock(70, 3, 3)]).is_empty());
//! ```

use std::collections::BTreeMap;

use rahdar_model::time::HOUR_US;
use rahdar_model::{Address, Timestamp, Window};

use super::{Group, Row};

/// Clusters that a prober touches within an hour.
pub const CLUSTERS: usize = 3;
/// Addresses that a prober touches within an hour.
pub const ADDRESSES: usize = 5;

/// One call in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Knock {
    /// When.
    pub at: Timestamp,
    /// At which address.
    pub remote: Address,
    /// Whose it is said to be; any numbering of clusters.
    pub cluster: usize,
    /// Whether that address was called on several days and never answered.
    pub is_silent: bool,
}

/// The times during which a host probed: sorted, apart from one another.
pub fn hours(knocks: Vec<Knock>) -> Vec<Window> {
    let mut knocks = knocks;
    knocks.sort_unstable();
    let mut hours: Vec<Window> = Vec::new();
    let (mut remotes, mut clusters) = (BTreeMap::new(), BTreeMap::new());
    let mut oldest = 0;
    for knock in &knocks {
        if !knock.is_silent {
            *remotes.entry(knock.remote).or_insert(0_usize) += 1;
        }
        *clusters.entry(knock.cluster).or_insert(0_usize) += 1;
        while knock.at.since(knocks[oldest].at) >= HOUR_US {
            forget(&mut remotes, &knocks[oldest].remote);
            forget(&mut clusters, &knocks[oldest].cluster);
            oldest += 1;
        }
        if remotes.len() >= ADDRESSES || clusters.len() >= CLUSTERS {
            let hour = Window::new(knocks[oldest].at, knock.at.plus_micros(1));
            match hours.last_mut() {
                Some(last) if last.until >= hour.from => last.until = hour.until,
                _ => hours.push(hour),
            }
        }
    }
    hours
}

fn forget<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// The reason.
pub fn row() -> Row {
    let text = "the victim knocked at many clusters within the hour: a sandbox, a researcher or a scanner";
    Row::new(Group::Prober, "prober", -15.0, text.to_owned())
}
