//! The fields of Zeek's logs that are read.

use super::Log;

/// Declares the fields with their names, as Zeek writes them.
macro_rules! fields {
    ($($field:ident = $name:literal $(| $other:literal)*;)+) => {
        /// A field of a log that is read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Field { $($field,)+ }

        impl Field {
            /// The field of this name, as Zeek writes it or with `_` for `.` as shippers of its logs do.
            pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
                match std::str::from_utf8(name).ok()? {
                    $($name $(| $other)* => Some(Self::$field),)+
                    _ => None,
                }
            }

            /// The name as Zeek writes it.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$field => $name,)+ }
            }
        }
    };
}

fields! {
    Ts = "ts";
    Uid = "uid";
    OrigH = "id.orig_h" | "id_orig_h";
    OrigP = "id.orig_p" | "id_orig_p";
    RespH = "id.resp_h" | "id_resp_h";
    RespP = "id.resp_p" | "id_resp_p";
    Proto = "proto";
    IpProto = "ip_proto";
    Service = "service";
    Duration = "duration";
    OrigBytes = "orig_bytes";
    RespBytes = "resp_bytes";
    ConnState = "conn_state";
    MissedBytes = "missed_bytes";
    History = "history";
    OrigPkts = "orig_pkts";
    OrigIpBytes = "orig_ip_bytes";
    RespPkts = "resp_pkts";
    RespIpBytes = "resp_ip_bytes";
    CommunityId = "community_id";
    Query = "query";
    Qtype = "qtype";
    Rcode = "rcode";
    Answers = "answers";
    Ttls = "TTLs";
    Rejected = "rejected";
    Version = "version";
    Cipher = "cipher";
    ServerName = "server_name";
    Established = "established";
    Fingerprints = "cert_chain_fps";
    CertificateSha1 = "resp_certificate_sha1";
    Subject = "subject";
    Issuer = "issuer";
    Ja3 = "ja3";
    Ja3s = "ja3s";
    Ja4 = "ja4";
    Method = "method";
    Host = "host";
    Senders = "tx_hosts";
    Receivers = "rx_hosts";
    Source = "source";
    Kind = "mime_type";
    IsOrig = "is_orig";
    SeenBytes = "seen_bytes";
    Sha1 = "sha1";
    Sha256 = "sha256";
}

impl Field {
    /// The log that alone has this field, if there is one.
    pub(crate) const fn mark(self) -> Option<Log> {
        match self {
            Self::ConnState | Self::OrigPkts => Some(Log::Conn),
            Self::Query | Self::Qtype | Self::Rcode | Self::Rejected => Some(Log::Dns),
            Self::Cipher | Self::Established => Some(Log::Ssl),
            Self::Method => Some(Log::Http),
            Self::SeenBytes => Some(Log::Files),
            _ => None,
        }
    }

    /// Whether its values are lists.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::Answers | Self::Ttls | Self::Fingerprints | Self::Senders | Self::Receivers)
    }
}
