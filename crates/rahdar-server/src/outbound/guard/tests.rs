//! Every way to write an address that must not be asked, and names that turn into one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;
use rahdar_intel::ReadOptions;
use rahdar_intel::index::Snapshot;

use super::*;

/// A resolver that knows these addresses for every name.
struct Told(Vec<IpAddr>);

impl Lookup for Told {
    fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

fn book(list: &str) -> Arc<Snapshot> {
    let claims = match rahdar_intel::read("list", list.as_bytes(), &ReadOptions::default()) {
        Ok(reading) => reading.claims,
        Err(_) => Vec::new(),
    };
    Arc::new(Snapshot::new(1, claims, Vec::new(), Vec::new()))
}

fn guard(private_hosts: &[&str], plain_http: bool, list: &str, addresses: &[&str]) -> Guard {
    let allowed = Allowed {
        home: Url::parse("https://feed.example.org:8443/taxii2/").unwrap(),
        private_hosts: private_hosts.iter().map(|host| (*host).to_owned()).collect(),
        plain_http,
    };
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Guard::new(allowed, book(list), Box::new(Told(addresses)))
}

/// What becomes of a URL: its own look, then that of its name.
fn asked(guard: &Guard, url: &str) -> Result<(), String> {
    // What is no URL is never asked.
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    guard.look_at(&url).map_err(|refused| refused.to_string())?;
    match Host::of(&url) {
        Some(Host::Name(name)) => guard.resolve(&name).map(drop).map_err(|refused| refused.to_string()),
        _ => Ok(()),
    }
}

/// Ways to write an address of IPv4 in a URL.
fn written(v4: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = v4.octets();
    let bits = u32::from(v4);
    let [.., high, low] = v4.to_ipv6_mapped().segments();
    vec![
        format!("{v4}"),
        format!("{v4}."),
        format!("{bits}"),
        format!("0x{bits:x}"),
        format!("0{bits:o}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.{b}.0{c:o}.{d}"),
        format!("{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
        format!("{a}.{}", bits & 0xff_ffff),
        format!("[::ffff:{v4}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[::{v4}]"),
        format!("[64:ff9b::{v4}]"),
        format!("[64:ff9b:1::{v4}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        // Full-width digits and dots, which IDNA folds.
        v4.to_string().chars().map(full_width).collect(),
    ]
}

fn full_width(c: char) -> char {
    match c {
        '.' => '。',
        digit => char::from_u32(digit as u32 - '0' as u32 + '０' as u32).unwrap(),
    }
}

#[test]
fn no_private_address_is_asked_however_it_is_written() {
    let guard = guard(&[], true, "", &[]);
    let hidden = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ];
    let mut cases = 0;
    for address in hidden {
        for written in written(address.parse().unwrap()) {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{written}/latest/meta-data/");
                assert!(asked(&guard, &url).is_err(), "{url}");
                cases += 1;
            }
        }
    }
    for host in [
        "[::]",
        "[::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[2001::1]",
        "[2001:db8::1]",
    ] {
        let url = format!("https://{host}/");
        assert!(asked(&guard, &url).is_err(), "{url}");
        cases += 1;
    }
    assert_eq!(cases, 13 * 16 * 2 + 8);
}

#[test]
fn a_name_counts_for_all_its_addresses() {
    let url = "https://feed.example.org/";
    let check = |addresses: &[&str]| asked(&guard(&[], false, "", addresses), url);
    assert_eq!(check(&["8.8.8.8", "2620:fe::fe"]), Ok(()));
    for hidden in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "fd00::1"] {
        assert!(check(&[hidden]).is_err(), "{hidden}");
        assert!(check(&["8.8.8.8", hidden]).is_err(), "{hidden} behind a public address");
    }
}

#[test]
fn schemes_and_users_are_refused() {
    let guard_of = |plain| guard(&[], plain, "", &["8.8.8.8"]);
    assert_eq!(asked(&guard_of(false), "https://feed.example.org/a?key=x"), Ok(()));
    assert!(asked(&guard_of(false), "http://feed.example.org/").is_err());
    assert_eq!(asked(&guard_of(true), "http://feed.example.org/"), Ok(()));
    for url in [
        "ftp://feed.example.org/",
        "file:///etc/passwd",
        "gopher://feed.example.org/",
        "data:text/plain,x",
        "https://user:word@feed.example.org/",
        "https://127.0.0.1@feed.example.org/",
        "https://",
    ] {
        assert!(asked(&guard_of(true), url).is_err(), "{url}");
    }
}

#[test]
fn a_private_host_is_asked_where_the_entry_allows_it_and_on_its_port() {
    let guard = guard(&["taxii.lan", "fd00::7"], false, "", &["10.0.0.7"]);
    assert_eq!(asked(&guard, "https://TAXII.lan.:8443/"), Ok(()));
    assert_eq!(asked(&guard, "https://[fd00::7]:8443/"), Ok(()));
    assert!(asked(&guard, "https://taxii.lan/").unwrap_err().contains("`443`"));
    assert!(asked(&guard, "https://other.lan:8443/").is_err());
    assert!(asked(&guard, "https://10.0.0.7:8443/").is_err(), "the name is allowed, not its address");
}

#[test]
fn an_indicator_is_never_asked() {
    let list = "8.8.8.8\n1.0.0.0/24\nevil.example.org\nhttps://files.example.org/a.exe\n";
    let check = |url: &str, address: &str| asked(&guard(&["10.0.0.7"], false, list, &[address]), url);
    assert!(check("https://evil.example.org/", "9.9.9.9").unwrap_err().contains("is an indicator"));
    assert!(check("https://feed.evil.example.org/", "9.9.9.9").is_err(), "a domain accuses what lies below");
    assert!(check("https://feed.example.org/", "8.8.8.8").is_err());
    assert!(check("https://feed.example.org/", "1.0.0.9").is_err());
    assert!(check("https://8.8.8.8/", "9.9.9.9").is_err());
    assert_eq!(check("https://files.example.org/feed.csv", "9.9.9.9"), Ok(()), "a URL accuses itself alone");
}

#[test]
fn what_is_shown_of_a_url_holds_no_secret() {
    let url = Url::parse("https://user:word@feed.example.org/a/b?key=secret#x").unwrap();
    assert_eq!(shown(&url), "https://feed.example.org/a/b");
}

proptest! {
    /// The standard library's own words, where it has them.
    #[test]
    fn what_the_standard_library_calls_local_is_not_public(bits: u128, v4: u32) {
        let v6 = Ipv6Addr::from(bits);
        let v4 = Ipv4Addr::from(v4);
        let local = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast()
            || v6.is_unique_local() || v6.is_unicast_link_local() || v6.to_ipv4().is_some();
        prop_assert!(!(local && is_public(v6.into())));
        let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
            || v4.is_documentation() || v4.is_unspecified() || v4.is_multicast();
        prop_assert!(!(local && is_public(v4.into())));
    }
}
