//! Zeek `conn.log`, tab-separated: the unsampled sensor E0.

use std::io::{self, Write};

use rahdar_model::flow::protocol;
use rahdar_model::time::SECOND_US;
use rahdar_model::{Day, Timestamp};

use crate::draw::hash_on;
use crate::plan::is_local;
use crate::session::{Headers, Outcome, Service, Session};

/// Fields and their types, in the order of Zeek's default log.
const FIELDS: [(&str, &str); 21] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
];

/// Begins a log that was opened on this day.
pub(crate) fn header(day: Day, out: &mut impl Write) -> io::Result<()> {
    out.write_all(
        b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n",
    )?;
    stamp("open", day, out)?;
    let line = |select: fn(&(&'static str, &'static str)) -> &'static str| {
        FIELDS.iter().map(select).collect::<Vec<_>>().join("\t")
    };
    writeln!(out, "#fields\t{}", line(|field| field.0))?;
    writeln!(out, "#types\t{}", line(|field| field.1))
}

/// Ends a log that was closed at the end of this day.
pub(crate) fn footer(day: Day, out: &mut impl Write) -> io::Result<()> {
    stamp("close", Day(day.0 + 1), out)
}

/// A directive with a time, `2021-08-15-00-00-00`.
fn stamp(word: &str, day: Day, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "#{word}\t{day}-00-00-00")
}

/// One connection.
pub(crate) fn line(session: &Session, out: &mut impl Write) -> io::Result<()> {
    let headers = Headers::of(session.protocol, session.client.address);
    let udp = session.protocol == protocol::UDP;
    let (state, history) = match session.outcome {
        Outcome::Complete if udp => ("SF", "Dd"),
        Outcome::Complete => ("SF", "ShADadFf"),
        Outcome::Unanswered if udp => ("S0", "D"),
        Outcome::Unanswered => ("S0", "S"),
        Outcome::Refused => ("REJ", "Sr"),
        Outcome::HalfOpen => ("RSTO", "ShR"),
        // Zeek takes the sender of a SYN-ACK for the responder.
        Outcome::Backscatter => ("OTH", "^h"),
    };
    let local = |address| if is_local(address) { 'T' } else { 'F' };
    write!(
        out,
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t",
        Seconds(session.start.micros()),
        Uid(session),
        session.client.address,
        session.client.port,
        session.server.address,
        session.server.port,
        if udp { "udp" } else { "tcp" },
        word(session.service),
    )?;
    // A single packet has no duration, and so no payload that Zeek counts.
    if session.duration_us == 0 {
        out.write_all(b"-\t-\t-\t")?;
    } else {
        let (asked, answered) = (session.forward.payload(headers), session.reverse.payload(headers));
        write!(out, "{}\t{asked}\t{answered}\t", Seconds(session.duration_us))?;
    }
    writeln!(
        out,
        "{state}\t{}\t{}\t0\t{history}\t{}\t{}\t{}\t{}\t-",
        local(session.client.address),
        local(session.server.address),
        session.forward.count(),
        session.forward.octets(),
        session.reverse.count(),
        session.reverse.octets(),
    )
}

/// Whether two days belong to one log: those of a month do.
pub(crate) fn log_name(day: Day) -> String {
    let date = day.to_string();
    format!("conn.{}.log.gz", &date[..date.len().min(7)])
}

fn word(service: Service) -> &'static str {
    match service {
        Service::None => "-",
        Service::Smtp => "smtp",
        Service::Tls => "ssl",
        Service::Http => "http",
        Service::Dns => "dns",
        Service::Ntp => "ntp",
    }
}

/// Microseconds, shown as seconds with six decimals.
struct Seconds(i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / SECOND_US, self.0 % SECOND_US)
    }
}

/// Zeek's id of a connection: `C` and letters and digits, here from a hash of the connection.
struct Uid<'a>(&'a Session);

impl std::fmt::Display for Uid<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let first = self.0.tuple_hash();
        let mut bits = u128::from(first) << 64 | u128::from(hash_on(first, b"uid"));
        f.write_str("C")?;
        for _ in 0..17 {
            write!(f, "{}", char::from(DIGITS[(bits % 62) as usize]))?;
            bits /= 62;
        }
        Ok(())
    }
}

/// The order of lines: by time, then by what tells connections apart.
pub(crate) fn order(session: &Session) -> (Timestamp, crate::session::Socket, crate::session::Socket) {
    (session.start, session.client, session.server)
}
