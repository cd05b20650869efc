//! The types of attributes (MISP core format §2.4) that name something a flow can meet.

use rahdar_model::Prefix;
use rahdar_model::intelligence::{HashKind, Indicator};

use crate::find::{self, Endpoint};
use crate::name;
use crate::reading::Reason;
use crate::refang::refang;

/// The endpoints of a value of this type; none if the type names nothing that is matched.
///
/// # Errors
/// The reason why the value is none of that type.
pub(super) fn endpoints(kind: &str, value: &str) -> Result<Option<Vec<Endpoint>>, Reason> {
    let value = refang(value).text;
    let value = value.trim();
    let one = |endpoint: Result<Endpoint, Reason>| endpoint.map(|endpoint| Some(vec![endpoint]));
    match kind {
        "ip-src" | "ip-dst" => one(network(value)),
        "ip-src|port" | "ip-dst|port" => {
            let (address, port) = split_port(value)?;
            one(network(address).map(|endpoint| Endpoint { port, ..endpoint }))
        }
        "domain" | "hostname" => one(domain(value)),
        "hostname|port" => {
            let (host, port) = split_port(value)?;
            one(domain(host).map(|endpoint| Endpoint { port, ..endpoint }))
        }
        "domain|ip" => {
            let (host, address) = value.split_once('|').ok_or_else(|| Reason::NotOfType(kind.to_owned()))?;
            Ok(Some(vec![domain(host.trim())?, network(address.trim())?]))
        }
        "url" => url(value).map(Some),
        "uri" if value.contains("://") => url(value).map(Some),
        "md5" | "sha1" | "sha256" => one(hash(value)),
        "filename|md5" | "filename|sha1" | "filename|sha256" | "malware-sample" => {
            let (_, digits) = value.rsplit_once('|').ok_or_else(|| Reason::NotOfType(kind.to_owned()))?;
            one(hash(digits.trim()))
        }
        "x509-fingerprint-sha1" | "x509-fingerprint-sha256" => one(certificate(value)),
        _ => Ok(None),
    }
}

fn plain(indicator: Indicator) -> Endpoint {
    Endpoint { indicator, port: None, protocol: None }
}

fn network(text: &str) -> Result<Endpoint, Reason> {
    let prefix = text.parse::<Prefix>();
    let wrong = || if text.contains('/') { Reason::PrefixLength } else { Reason::NotAddress };
    prefix.map(|prefix| plain(Indicator::Network(prefix))).map_err(|_| wrong())
}

fn domain(text: &str) -> Result<Endpoint, Reason> {
    name::domain(text)
        .map(|name| plain(Indicator::Domain(name)))
        .ok_or_else(|| Reason::NotOfType("domain".to_owned()))
}

/// A URL, and the address in it if there is one.
fn url(text: &str) -> Result<Vec<Endpoint>, Reason> {
    if let Some(found) = find::of_url(text) {
        return Ok(found);
    }
    name::url_host(text).ok_or(Reason::UrlHost)?;
    Ok(vec![plain(Indicator::Url(text.to_owned()))])
}

fn hash(text: &str) -> Result<Endpoint, Reason> {
    let digits = text.to_ascii_lowercase();
    let kind = [HashKind::Md5, HashKind::Sha1, HashKind::Sha256]
        .into_iter()
        .find(|kind| kind.digits() == digits.len() && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    kind.map(|kind| plain(Indicator::Hash(kind, digits))).ok_or(Reason::HashLength(text.len()))
}

fn certificate(text: &str) -> Result<Endpoint, Reason> {
    Indicator::certificate(text).map(plain).ok_or(Reason::HashLength(text.len()))
}

/// `192.0.2.1|443`; older servers wrote a colon.
fn split_port(value: &str) -> Result<(&str, Option<u16>), Reason> {
    let (host, port) = value.rsplit_once('|').or_else(|| value.rsplit_once(':')).ok_or(Reason::Port)?;
    let port: u16 = port.trim().parse().map_err(|_| Reason::Port)?;
    Ok((host.trim(), Some(port).filter(|port| *port > 0)))
}
