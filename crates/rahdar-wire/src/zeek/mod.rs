//! Zeek logs: `conn.log`, whose rows are biflows, and `dns.log`, `ssl.log`, `http.log` and `files.log`, whose rows are
//! facts.
//!
//! The originator is the source, the responder the destination. Zeek sees every packet of the
//! link it watches, so flows are unsampled, and it says itself where it missed some
//! (`missed_bytes`). What a row holds is the same in both forms, [`tsv`] and [`json`]; each log
//! has one [`Row`] for both.

mod conn;
mod dns;
mod field;
mod files;
mod http;
pub(crate) mod json;
mod ssl;
mod talk;
pub(crate) mod tsv;

use rahdar_model::sink::SinkError;

use crate::WireError;
use crate::delivery::Delivery;
use crate::facts::Facts;
use crate::lines::Text;
use crate::value::ValueError;
use field::Field;

/// The exporter's name unless the operator gives one.
const EXPORTER: &str = "zeek";

/// A log that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// `conn.log`.
    Conn,
    /// `dns.log`.
    Dns,
    /// `ssl.log`.
    Ssl,
    /// `http.log`.
    Http,
    /// `files.log`, for the certificates in it.
    Files,
}

impl Log {
    /// Every log that is read.
    const ALL: [Self; 5] = [Self::Conn, Self::Dns, Self::Ssl, Self::Http, Self::Files];

    /// The log of this path, as Zeek calls it.
    fn from_path(path: &[u8]) -> Option<Self> {
        Some(match path {
            b"conn" => Self::Conn,
            b"dns" => Self::Dns,
            b"ssl" => Self::Ssl,
            b"http" => Self::Http,
            b"files" => Self::Files,
            _ => return None,
        })
    }
}

/// How a form of the log writes texts and lists.
trait Form {
    /// Appends a text, its escapes resolved.
    fn text(&self, text: &[u8], into: &mut String);

    /// The items of a list. One that is unset is there, and holds nothing that is a value.
    fn items<'v>(&self, list: &'v [u8]) -> impl Iterator<Item = &'v [u8]>;
}

/// The values of one row of a log.
trait Row<'r>: Default {
    /// The log.
    const LOG: Log;

    /// Takes one value that is set. Fields of other logs are passed over.
    fn set(&mut self, field: Field, value: &'r [u8]) -> Result<(), ValueError>;

    /// Fills the record or fact of the row, all but lists; false if it says nothing.
    fn fill(
        &self,
        form: &impl Form,
        delivery: &mut Delivery<'_>,
        facts: &mut Facts,
    ) -> Result<bool, ValueError>;

    /// Gives what the row says to the sink.
    fn give(&self, form: &impl Form, delivery: &mut Delivery<'_>, facts: &mut Facts)
    -> Result<(), SinkError>;
}

/// Gives what a row says to the sink, or refuses it.
fn deliver<'r>(
    row: &impl Row<'r>,
    text: Text<'_>,
    form: &impl Form,
    delivery: &mut Delivery<'_>,
    facts: &mut Facts,
) -> Result<(), WireError> {
    delivery.record.reset();
    delivery.record.source_row = text.number;
    match row.fill(form, delivery, facts) {
        Ok(true) => {
            delivery.decode();
            row.give(form, delivery, facts)?;
        }
        Ok(false) => delivery.tally.beside += 1,
        Err(error) => delivery.refuse(text.place, format_args!("{error}")),
    }
    Ok(())
}

/// The name of a Zeek log that is not read, by its path.
///
/// Zeek 7 writes these by default or with its packaged policies; any other is named as such.
pub(crate) fn other_log(path: &[u8]) -> &'static str {
    macro_rules! named {
        ($($path:literal)+) => {
            match std::str::from_utf8(path) {
                Ok("conn") => "a Zeek conn.log without ts, id.orig_h, id.resp_h, proto or conn_state",
                Ok("dns") => "a Zeek dns.log without ts, id.orig_h, id.resp_h or query",
                Ok("ssl") => "a Zeek ssl.log without ts, id.orig_h, id.resp_h or established",
                Ok("conn_long") => "Zeek conn_long.log (its connections come again in conn.log)",
                Ok("http") => "a Zeek http.log without ts, id.orig_h, id.resp_h, method or host",
                Ok("files") => "a Zeek files.log without ts, its hosts, mime_type, seen_bytes or hashes",
                $(Ok($path) => concat!("Zeek ", $path, ".log"),)+
                _ => "a Zeek log other than conn, dns, ssl, http and files",
            }
        };
    }
    named! {
        "analyzer" "arp" "capture_loss" "dce_rpc" "dhcp" "dnp3" "dpd" "ftp" "intel"
        "irc" "kerberos" "known_certs" "known_hosts" "known_services" "ldap" "loaded_scripts" "modbus"
        "mqtt_connect" "mysql" "notice" "ntlm" "ntp" "ocsp" "packet_filter" "pe" "postgresql" "quic"
        "radius" "rdp" "reporter" "rfb" "sip" "smb_cmd" "smb_files" "smb_mapping" "smtp" "snmp" "socks"
        "software" "ssh" "stats" "syslog" "telemetry" "traceroute" "tunnel" "weird" "x509"
    }
}
