//! Resolvers that anyone may ask: facts that every book holds.
//!
//! They stand in published lists of indicators, because malware asks them like everyone else, and
//! few analysts load a list of them. A book cannot take these facts away; the version of rahdar says
//! which they are.

use std::collections::HashMap;
use std::sync::LazyLock;

use rahdar_model::intelligence::{HostClass, HostFact};
use rahdar_model::{Address, Prefix, Window};

/// Addresses as their operators publish them (read 2026-11-22).
const ADDRESSES: [(&str, &str); 12] = [
    ("Google", "8.8.8.8 8.8.4.4 2001:4860:4860::8888 2001:4860:4860::8844"),
    (
        "Cloudflare",
        "1.1.1.1 1.0.0.1 1.1.1.2 1.0.0.2 1.1.1.3 1.0.0.3 2606:4700:4700::1111 2606:4700:4700::1001 \
         2606:4700:4700::1112 2606:4700:4700::1002 2606:4700:4700::1113 2606:4700:4700::1003",
    ),
    (
        "Quad9",
        "9.9.9.9 149.112.112.112 9.9.9.10 149.112.112.10 9.9.9.11 149.112.112.11 2620:fe::fe 2620:fe::9 \
         2620:fe::10 2620:fe::11",
    ),
    (
        "OpenDNS",
        "208.67.222.222 208.67.220.220 208.67.222.220 208.67.220.222 208.67.222.123 208.67.220.123 \
         2620:119:35::35 2620:119:53::53",
    ),
    ("Level 3", "4.2.2.1 4.2.2.2 4.2.2.3 4.2.2.4 4.2.2.5 4.2.2.6"),
    ("AdGuard", "94.140.14.14 94.140.15.15 94.140.14.15 94.140.15.16 2a10:50c0::ad1:ff 2a10:50c0::ad2:ff"),
    (
        "CleanBrowsing",
        "185.228.168.9 185.228.169.9 185.228.168.10 185.228.169.11 185.228.168.168 185.228.169.168",
    ),
    ("Yandex", "77.88.8.8 77.88.8.1 77.88.8.88 77.88.8.2 77.88.8.7 77.88.8.3"),
    ("114DNS", "114.114.114.114 114.114.115.115"),
    ("AliDNS", "223.5.5.5 223.6.6.6"),
    ("Hurricane Electric", "74.82.42.42 2001:470:20::2"),
    ("Neustar", "64.6.64.6 64.6.65.6"),
];

static FACTS: LazyLock<HashMap<Address, HostFact>> = LazyLock::new(|| {
    let fact = |operator: &str, address: Address| HostFact {
        network: Prefix::host(address),
        class: HostClass::Cdn,
        validity: Window::ALL,
        source: format!("public resolver of {operator}").into(),
    };
    let of = |(operator, addresses): &(&'static str, &'static str)| {
        let (operator, addresses) = (*operator, *addresses);
        let parsed = addresses.split_whitespace().filter_map(|address| address.parse().ok());
        parsed.map(move |address| (address, fact(operator, address)))
    };
    ADDRESSES.iter().flat_map(of).collect()
});

/// The fact that an address is such a resolver.
pub(crate) fn fact(address: Address) -> Option<&'static HostFact> {
    FACTS.get(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_one() {
        let written: usize =
            ADDRESSES.iter().map(|(_, addresses)| addresses.split_whitespace().count()).sum();
        assert_eq!(FACTS.len(), written);
    }
}
