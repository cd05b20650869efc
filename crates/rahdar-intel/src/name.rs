//! Names as the book keeps them: lower case, ASCII, no final dot.

use rahdar_model::Address;

/// Octets in a domain name at most, without the final dot (RFC 1035 §3.1).
const DOMAIN_MAX: usize = 253;
/// Octets in a label at most (RFC 1035 §3.1).
const LABEL_MAX: usize = 63;

/// The domain name in its kept form; none if it is no host name of two labels or more.
///
/// Underscores are accepted: real lists name them. Whether the top-level label exists is not
/// asked here.
pub(crate) fn domain(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.');
    let ascii = if text.is_ascii() { text.to_ascii_lowercase() } else { idna::domain_to_ascii(text).ok()? };
    let label_ok = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = ascii.rsplit('.').next()?;
    let ok = ascii.len() <= DOMAIN_MAX
        && ascii.contains('.')
        && ascii.split('.').all(label_ok)
        && top.bytes().any(|b| b.is_ascii_alphabetic())
        && top.len() >= 2;
    ok.then_some(ascii)
}

/// Whether the name ends in a public suffix that is listed, or in one of those that stand
/// outside the public tree: RFC 2606, RFC 7686, and the alternative roots that malware uses.
pub(crate) fn has_known_suffix(domain: &str) -> bool {
    const OUTSIDE: [&str; 9] = ["example", "test", "invalid", "onion", "i2p", "bit", "lib", "coin", "bazar"];
    let top = domain.rsplit('.').next().unwrap_or_default();
    OUTSIDE.contains(&top) || psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

/// The address that a name resolves to by its very form: `a.192-0-2-1.sslip.io`. Three public
/// services answer such names for everyone.
pub(crate) fn embedded_address(domain: &str) -> Option<Address> {
    let rest = [".sslip.io", ".nip.io", ".xip.io"].iter().find_map(|service| domain.strip_suffix(service))?;
    let dotted = rest.rsplit('.').take(4).collect::<Vec<_>>();
    let dotted = dotted.into_iter().rev().collect::<Vec<_>>().join(".");
    let dashed = rest.rsplit('.').next().unwrap_or_default().rsplit('-').take(4).collect::<Vec<_>>();
    let dashed = dashed.into_iter().rev().collect::<Vec<_>>().join(".");
    let v4 = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(Address::from);
    v4(&dotted).or_else(|| v4(&dashed))
}

/// The host of a URL in its kept form: a domain, or an address as text; none if it has neither.
pub(crate) fn url_host(url: &str) -> Option<String> {
    let (host, _) = url_authority(url)?;
    match host.parse::<Address>() {
        Ok(address) => Some(address.to_string()),
        Err(_) => domain(host),
    }
}

/// The host and the port of a URL, as written, without user information and brackets. The scheme
/// may be missing: lists write `example.org/gate.php`.
pub(crate) fn url_authority(url: &str) -> Option<(&str, Option<u16>)> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        return Some((host, rest.strip_prefix(':').and_then(|port| port.parse().ok())));
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, port.parse().ok())),
        None => Some((authority, None)),
    }
}

/// The key under which a name that someone asks for is kept.
pub(crate) fn key(name: &str) -> String {
    let name = name.trim();
    if name.contains('/') {
        return name.to_owned();
    }
    domain(name).unwrap_or_else(|| name.to_lowercase())
}

/// The names above `host`, nearest first, down to its registrable domain. A public suffix is
/// not among them (Public Suffix List, its private part too).
pub(crate) fn parents(host: &str) -> impl Iterator<Item = &str> {
    let least = psl::domain_str(host).map_or(usize::MAX, str::len);
    std::iter::successors(host.split_once('.').map(|(_, rest)| rest), |name| {
        name.split_once('.').map(|(_, rest)| rest)
    })
    .take_while(move |name| name.len() >= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_domain(text: &str, kept: Option<&str>) {
        assert_eq!(domain(text).as_deref(), kept, "{text}");
    }

    #[test]
    fn a_domain_is_kept_lower_case_ascii_and_without_its_final_dot() {
        check_domain("C2.Example.ORG.", Some("c2.example.org"));
        check_domain("bücher.example", Some("xn--bcher-kva.example"));
        check_domain("_dmarc.example.org", Some("_dmarc.example.org"));
    }

    #[test]
    fn what_is_no_host_name_is_no_domain() {
        for text in ["", ".", "localhost", "192.0.2.1", "a..b.org", "-a.org", "a.b", "exa mple.org", "1.2.3"]
        {
            check_domain(text, None);
        }
        check_domain(&format!("{}.org", "a".repeat(64)), None);
        check_domain(&format!("{}org", "a.".repeat(126)), None);
    }

    #[test]
    fn the_host_of_a_url_is_found_beside_user_port_and_path() {
        let check = |url, host: Option<&str>| assert_eq!(url_host(url).as_deref(), host, "{url}");
        check("http://Example.org/a?b#c", Some("example.org"));
        check("https://user:secret@192.0.2.1:8443/x", Some("192.0.2.1"));
        check("http://[2001:DB8::1]:80/", Some("2001:db8::1"));
        check("tcp://example.org:443", Some("example.org"));
        check("example.org/a", Some("example.org"));
        check("http://", None);
        assert_eq!(url_authority("http://192.0.2.1:99999/"), Some(("192.0.2.1", None)));
    }

    #[test]
    fn names_of_wildcard_services_hold_their_address() {
        let check = |name, address: Option<&str>| {
            assert_eq!(embedded_address(name).map(|a| a.to_string()).as_deref(), address, "{name}");
        };
        check("192.0.2.1.sslip.io", Some("192.0.2.1"));
        check("app.192-0-2-1.nip.io", Some("192.0.2.1"));
        check("app-192-0-2-1.nip.io", Some("192.0.2.1"));
        check("www.nip.io", None);
        check("192.0.2.1.example.org", None);
    }

    #[test]
    fn parents_end_above_the_public_suffix() {
        let check =
            |host, expected: &[&str]| assert_eq!(parents(host).collect::<Vec<_>>(), expected, "{host}");
        check("a.b.example.org", &["b.example.org", "example.org"]);
        check("example.org", &[]);
        check("a.example.co.uk", &["example.co.uk"]);
        check("someone.duckdns.org", &[]);
    }
}
