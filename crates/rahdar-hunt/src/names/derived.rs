//! The claims that follow from where claimed names pointed, which servers were called by them, and where claimed
//! certificates were presented (`methods.md` §7.5).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use rahdar_intel::alias::CHAIN_MAX;
use rahdar_intel::answers::Answers;
use rahdar_intel::certificates::Presented;
use rahdar_intel::index::Snapshot;
use rahdar_model::fact::Handshake;
use rahdar_model::store::{HandshakesAsked, StoreError};
use rahdar_model::{Address, FlowStore, Prefix, Window};

/// Names that claimed names lead to by one more step, and that are asked for; chosen here: a claimed
/// name has a handful.
const TARGETS_MAX: usize = 10_000;

/// The book with the claims that follow from where its names pointed, which servers were called by them, and where its
/// certificates were presented, in our own networks (`methods.md` §7.5), as far as the window shows; itself if none do.
/// Whoever calls a host of `own` may call it what they like.
pub(crate) fn with_derived<'a>(
    store: &dyn FlowStore,
    book: &'a Snapshot,
    own: &[Prefix],
    window: Window,
) -> Result<Cow<'a, Snapshot>, StoreError> {
    let resolved = with_resolved(store, book, own, window)?;
    let hashes = book.certificates();
    if hashes.is_empty() {
        return Ok(resolved);
    }
    let mut presented = Presented::default();
    let asked = HandshakesAsked { certificates: &hashes, ..HandshakesAsked::default() };
    store.handshakes(&asked, window, &mut |handshake| presented.add(&handshake))?;
    if presented.is_empty() {
        return Ok(resolved);
    }
    Ok(Cow::Owned(resolved.into_owned().with_presented(&presented)))
}

fn with_resolved<'a>(
    store: &dyn FlowStore,
    book: &'a Snapshot,
    own: &[Prefix],
    window: Window,
) -> Result<Cow<'a, Snapshot>, StoreError> {
    let mut answers = Answers::default();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut names: BTreeSet<String> = book
        .domains()
        .into_iter()
        .chain(book.aliases().targets().map(Cow::Borrowed))
        .map(Cow::into_owned)
        .collect();
    // Once for the claimed names, then for those that they led to.
    for _ in 0..=CHAIN_MAX {
        if names.is_empty() {
            break;
        }
        let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        store.resolutions(&wanted, &[], window, &mut |resolution| answers.add(&resolution))?;
        let calls = HandshakesAsked { names: &wanted, ..HandshakesAsked::default() };
        store.handshakes(&calls, window, &mut |handshake| {
            if goes_out(&handshake, own) {
                answers.call(&handshake);
            }
        })?;
        asked.append(&mut names);
        let new = answers.targets().into_iter().filter(|target| !asked.contains(*target));
        names = new.take(TARGETS_MAX).map(str::to_owned).collect();
    }
    let networks: Vec<Prefix> = answers.addresses().map(Prefix::host).collect();
    if networks.is_empty() {
        return Ok(Cow::Borrowed(book));
    }
    // Other names at these addresses end the windows. Those that were claimed come once more.
    let mut all = Answers::default();
    store.resolutions(&[], &networks, window, &mut |resolution| all.add(&resolution))?;
    let records = [all.records(), answers.calls()].concat();
    Ok(Cow::Owned(book.clone().with_aliases(&answers.aliases()).with_resolutions(&records)))
}

/// Whether a host of our networks called one that is not, nor private, as a proxy is; where nobody says which are ours,
/// whether a private host called.
fn goes_out(handshake: &Handshake, own: &[Prefix]) -> bool {
    let is_private = |address: Address| match address.to_ip() {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    };
    let is_own = |address| own.iter().any(|network| network.contains(address));
    let has_own_client = match own {
        [] => is_private(handshake.client),
        _ => is_own(handshake.client),
    };
    has_own_client && !is_own(handshake.server) && !is_private(handshake.server)
}
