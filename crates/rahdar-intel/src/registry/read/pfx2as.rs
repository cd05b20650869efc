//! CAIDA RouteViews prefix-to-AS: `203.0.113.0<TAB>24<TAB>64500`. Origins of several announcements are
//! joined by `_`, the members of an AS set by `,`; each is told.

use rahdar_model::{Address, Day, Prefix};

use super::{Read, Refusals, asn, lines};
use crate::registry::error::{DumpError, LineError};
use crate::registry::routes::Routes;

pub(super) fn is_line(line: &str) -> bool {
    let mut fields = line.split_whitespace();
    let (Some(address), Some(length), Some(origins), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    prefix(address, length).is_ok() && self::origins(origins).is_ok()
}

pub(super) fn read(text: &str, as_of: Day) -> Result<Read, DumpError> {
    let mut routes = Routes::default();
    let mut refusals = Refusals::default();
    let (mut v4, mut v6) = (false, false);
    for (number, line) in lines(text) {
        let Some((prefix, origins)) = refusals.take(number, row(line)) else { continue };
        if prefix.first().is_v4() {
            v4 = true
        } else {
            v6 = true
        }
        routes.add(prefix, &origins)?;
    }
    // CAIDA publishes one file for each family: neither follows the other.
    let source = match (v4, v6) {
        (true, false) => "CAIDA pfx2as, IPv4",
        (false, true) => "CAIDA pfx2as, IPv6",
        _ => "CAIDA pfx2as",
    };
    Ok(refusals.with(routes.finish(source, as_of)?))
}

fn row(line: &str) -> Result<(Prefix, Vec<u32>), LineError> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [address, length, origins] = fields[..] else { return Err(LineError::Fields(fields.len(), 3)) };
    Ok((prefix(address, length)?, self::origins(origins)?))
}

fn prefix(address: &str, length: &str) -> Result<Prefix, LineError> {
    let wrong = || LineError::Prefix(format!("{address}/{length}"));
    let network: Address = address.parse().map_err(|_| wrong())?;
    let length: u8 = length.parse().map_err(|_| wrong())?;
    let (most, base) = if network.is_v4() { (32, 96) } else { (128, 0) };
    if length > most { Err(wrong()) } else { Ok(Prefix::new(network, base + length)) }
}

fn origins(text: &str) -> Result<Vec<u32>, LineError> {
    text.trim_matches(['{', '}']).split(['_', ',']).map(|one| asn(one.trim_matches(['{', '}']))).collect()
}
