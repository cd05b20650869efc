//! Certificates that servers presented: a claim on a certificate becomes dated claims on the servers that
//! presented it in our own networks.
//!
//! window = [first − 1 d, last + 1 d] ∩ the window of the claim on the certificate. Where the two do not meet, the
//! claim's own stands, with its basis: a contact after its end is told as one.
//!
//! * First and last handshake bound what was observed, not since when the server was whose. The day beside them is
//!   that of names ([`pdns`](crate::pdns)).
//! * Whoever presents a certificate holds its key (TLS 1.2, RFC 5246 §7.4.9; TLS 1.3, RFC 8446 §4.4.3), as far as
//!   the handshake was completed. A log tells that, or does not; a handshake that it says failed is left out.
//!
//! Wrong where a certificate comes with a tool, and all who run it present the same: the claim then is about the
//! tool. Wrong too behind a proxy that opens TLS, which presents its own. TLS 1.3 encrypts certificates: a sensor
//! that watches packets sees none.
//!
//! A derived claim keeps everything of the claim on the certificate but the window and says whence it comes: its
//! basis is `presented`, its place names the claim's, the certificate, and who saw it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rahdar_model::fact::Handshake;
use rahdar_model::intelligence::{Claim, Indicator, WindowBasis};
use rahdar_model::{Address, Prefix, Timestamp, Window};

use crate::index::Snapshot;
use crate::pdns::MARGIN_US;

/// Servers that presented certificates, gathered in any order.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    servers: BTreeMap<(String, Address), Sightings>,
}

#[derive(Debug, Clone)]
struct Sightings {
    first: Timestamp,
    last: Timestamp,
    count: u64,
    /// Of all who saw it, the first by name.
    exporter: Arc<str>,
}

/// Claims on one certificate that are carried to one server; chosen here: more lists say nothing new.
const CLAIMS_PER_SERVER: usize = 64;

impl Presented {
    /// Adds a handshake, unless it has no certificate or failed.
    pub fn add(&mut self, handshake: &Handshake) {
        if handshake.certificate.is_empty() || handshake.established == Some(false) {
            return;
        }
        let Handshake { time, exporter, .. } = handshake;
        let seen = self.servers.entry((handshake.certificate.clone(), handshake.server));
        let seen = seen.or_insert_with(|| Sightings {
            first: *time,
            last: *time,
            count: 0,
            exporter: exporter.clone(),
        });
        seen.first = seen.first.min(*time);
        seen.last = seen.last.max(*time);
        seen.count += 1;
        if *exporter < seen.exporter {
            seen.exporter = exporter.clone();
        }
    }

    /// Whether no certificate was presented.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The claims on servers that follow, in the order of certificates and servers.
    pub(crate) fn claims(&self, book: &Snapshot) -> Vec<Claim> {
        let routable = self.servers.iter().filter(|((_, server), _)| !server.is_unroutable());
        let claims = routable.flat_map(|((certificate, server), seen)| {
            let claimed = book.claims_presenting(certificate).take(CLAIMS_PER_SERVER);
            claimed.map(move |claim| seen.claim(claim, *server))
        });
        claims.collect()
    }
}

impl Sightings {
    /// The claim on the certificate as it holds for a server that presented it.
    fn claim(&self, claim: &Claim, server: Address) -> Claim {
        let seen = Window::new(self.first.plus_micros(-MARGIN_US), self.last.plus_micros(MARGIN_US));
        let both = seen.intersect(claim.validity);
        let (validity, basis) =
            if both.is_empty() { (claim.validity, claim.basis) } else { (both, WindowBasis::Presented) };
        let times = if self.count == 1 { "once".to_owned() } else { format!("{} times", self.count) };
        Claim {
            indicator: Indicator::Network(Prefix::host(server)),
            validity,
            basis,
            place: format!(
                "{}: certificate {}, our TLS log, seen by {}, {times}",
                claim.place, claim.indicator, self.exporter
            ),
            ..claim.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::ReadOptions;
    use crate::tests::shown;

    const SHA1: &str = "4e1243bd22c66e76c2ba9eddc1f91394e57f9f83";

    fn book(window: Option<(&str, &str)>) -> Snapshot {
        let time = |text: &str| text.parse().unwrap();
        let options = ReadOptions {
            cluster: Some("RedFoxtrot".to_owned()),
            source: Some("a list".to_owned()),
            valid_from: window.map(|(from, _)| time(from)),
            valid_until: window.map(|(_, until)| time(until)),
            ..ReadOptions::default()
        };
        let list = format!("TLS certificates (SHA1)\n{SHA1}\n");
        let reading = crate::read("list.txt", list.as_bytes(), &options).unwrap();
        Snapshot::new(1, reading.claims, reading.clusters, Vec::new())
    }

    fn handshake(server: &str, time: &str) -> Handshake {
        Handshake {
            time: time.parse().unwrap(),
            server: server.parse().unwrap(),
            certificate: SHA1.to_owned(),
            ..Handshake::new("E1".into(), "ssl.log".into())
        }
    }

    fn check(book: Snapshot, handshakes: &[Handshake], derived: &[&str]) {
        let mut presented = Presented::default();
        handshakes.iter().for_each(|one| presented.add(one));
        let book = book.with_presented(&presented);
        assert_eq!(book.claims()[1..].iter().map(shown).collect::<Vec<_>>(), derived);
    }

    const PLACE: &str =
        "redfoxtrot line 2: certificate 4e1243bd22c66e76c2ba9eddc1f91394e57f9f83, our TLS log, seen by E1";

    #[test]
    fn a_server_is_claimed_from_the_first_to_the_last_time_that_it_presented_the_certificate() {
        let seen = ["2021-05-12", "2021-05-10", "2021-05-20"].map(|time| handshake("192.0.2.9", time));
        let derived = format!("192.0.2.9 [2021-05-09, 2021-05-21) presented {PLACE}, 3 times");
        check(book(None), &seen, &[&derived]);
    }

    #[test]
    fn the_window_of_the_claim_cuts_it_and_stands_where_the_two_do_not_meet() {
        let held = Some(("2021-05-11", "2021-06-01"));
        let seen = ["2021-05-10", "2021-05-20"].map(|time| handshake("192.0.2.9", time));
        let derived = format!("192.0.2.9 [2021-05-11, 2021-05-21) presented {PLACE}, 2 times");
        check(book(held), &seen, &[&derived]);
        let late = format!("192.0.2.9 [2021-05-11, 2021-06-01) operator {PLACE}, once");
        check(book(held), &[handshake("192.0.2.9", "2021-08-10")], &[&late]);
    }

    #[test]
    fn handshakes_that_failed_and_other_certificates_claim_nothing() {
        let failed = Handshake { established: Some(false), ..handshake("192.0.2.9", "2021-05-10") };
        let other = Handshake { certificate: "0".repeat(40), ..handshake("192.0.2.9", "2021-05-10") };
        let none = Handshake { certificate: String::new(), ..handshake("192.0.2.9", "2021-05-10") };
        check(book(None), &[failed, other, none], &[]);
    }
}
