//! Zeek `conn.log`: one row, one biflow.
//!
//! The originator is the source, the responder the destination. Zeek sees every packet of the
//! link it watches, so rows are unsampled, and it says itself where it missed some
//! (`missed_bytes`). What a row holds is the same in both forms, [`tsv`] and [`json`]; they
//! share [`row::Row`].

pub(crate) mod json;
mod row;
pub(crate) mod tsv;

/// The exporter's name unless the operator gives one.
const EXPORTER: &str = "zeek";

/// The name of a Zeek log that is not `conn.log`, by its path.
///
/// Zeek 7 writes these by default or with its packaged policies; any other is named as such.
pub(crate) fn other_log(path: &[u8]) -> &'static str {
    macro_rules! named {
        ($($path:literal)+) => {
            match std::str::from_utf8(path) {
                Ok("conn") => "a Zeek conn.log without ts, id.orig_h, id.resp_h, proto or conn_state",
                $(Ok($path) => concat!("Zeek ", $path, ".log"),)+
                _ => "a Zeek log other than conn.log",
            }
        };
    }
    named! {
        "analyzer" "arp" "capture_loss" "dce_rpc" "dhcp" "dnp3" "dns" "dpd" "files" "ftp" "http" "intel"
        "irc" "kerberos" "known_certs" "known_hosts" "known_services" "ldap" "loaded_scripts" "modbus"
        "mqtt_connect" "mysql" "notice" "ntlm" "ntp" "ocsp" "packet_filter" "pe" "postgresql" "quic"
        "radius" "rdp" "reporter" "rfb" "sip" "smb_cmd" "smb_files" "smb_mapping" "smtp" "snmp" "socks"
        "software" "ssh" "ssl" "stats" "syslog" "telemetry" "traceroute" "tunnel" "weird" "x509"
    }
}
