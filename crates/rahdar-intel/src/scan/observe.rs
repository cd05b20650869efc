//! Results of zgrab2, Shodan and Censys as host observations: where, when, and fields by name.
//!
//! | field | what |
//! |---|---|
//! | `banner` | what the service said first |
//! | `service`, `product`, `software`, `tag`, `name` | as the scanner has them; `name` is a host name |
//! | `http.status`, `http.title`, `http.header.<name>` | of the response; header names in lower case, `-` for `_` |
//! | `http.body_sha256`, `http.body_sha1`, `http.html_hash` | as given |
//! | `tls.cert.sha256`, `.sha1`, `.md5`, `.serial`, `.subject`, `.issuer` | of the server's own certificate |
//! | `jarm`, `ja3s`, `ja4s`, `ja4x` | as given |
//! | `ssh.key_sha256`, `ssh.hassh`, `ssh.version` | as given |
//! | `asn` | of the network, as the scanner has it: digits |

use std::collections::BTreeMap;

use rahdar_model::{Address, Timestamp};
use serde_json::Value;

use crate::find::{TCP, UDP};
use crate::reading::{Reason, quote};

/// What a scanner saw of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) address: Address,
    pub(crate) port: Option<u16>,
    pub(crate) protocol: Option<u8>,
    pub(crate) at: Timestamp,
    fields: BTreeMap<String, Vec<String>>,
}

/// Octets of a value that are kept; chosen here: rules look at heads of bodies.
const VALUE_MAX: usize = 64 << 10;
/// Services of one host; chosen here: one for every port would be a trap for scanners.
const SERVICES_MAX: usize = 4_096;

/// The observations of one value.
///
/// # Errors
/// The reason why it is none of the three formats, or names no address or time.
pub(crate) fn observations(text: &str) -> Result<Vec<Observation>, Reason> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Reason::Malformed(crate::json::detail(&error)))?;
    let host = value.get("result").or_else(|| value.get("host")).unwrap_or(&value);
    if let Some(services) = host.get("services").and_then(Value::as_array) {
        return services.iter().take(SERVICES_MAX).map(|service| censys(host, service)).collect();
    }
    if value.get("ip_str").is_some() {
        return match value.get("data").and_then(Value::as_array) {
            Some(banners) => banners.iter().take(SERVICES_MAX).map(|one| shodan(&value, one)).collect(),
            None => Ok(vec![shodan(&value, &value)?]),
        };
    }
    let Some(modules) = value.get("data").and_then(Value::as_object) else {
        return Err(Reason::Malformed("no result of zgrab2, Shodan or Censys".to_owned()));
    };
    let answered = modules.iter().filter(|(_, module)| word(module, "status") == Some("success"));
    answered.map(|(name, module)| zgrab(&value, name, module)).collect()
}

impl Observation {
    fn new(host: &Value, service: &Value, names: &[&str], times: &[&str]) -> Result<Self, Reason> {
        let text = names.iter().find_map(|name| word(service, name).or_else(|| word(host, name)));
        let text = text.ok_or_else(|| Reason::Malformed("it names no address".to_owned()))?;
        let address = text.parse().map_err(|_| Reason::NotAddress)?;
        let time = times.iter().find_map(|name| word(service, name).or_else(|| word(host, name)));
        let time = time.ok_or_else(|| Reason::Malformed("it is not dated".to_owned()))?;
        let at = time.parse().map_err(|_| Reason::Time(quote(time)))?;
        Ok(Self { address, port: None, protocol: None, at, fields: BTreeMap::new() })
    }

    /// The values of a field.
    pub(crate) fn values(&self, field: &str) -> &[String] {
        self.fields.get(field).map_or(&[], Vec::as_slice)
    }

    /// Adds a text, a number or a list of them.
    fn put(&mut self, field: &str, value: Option<&Value>) {
        let text = match value {
            Some(Value::String(text)) => text[..text.floor_char_boundary(VALUE_MAX)].to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Array(values)) => {
                return values.iter().for_each(|value| self.put(field, Some(value)));
            }
            _ => return,
        };
        if !text.is_empty() {
            self.fields.entry(field.to_owned()).or_default().push(text);
        }
    }

    fn put_all(&mut self, from: &Value, fields: &[(&str, &str)]) {
        for (field, path) in fields {
            self.put(field, at(from, path));
        }
    }

    /// Adds headers: an object of texts or lists, with zgrab2's list of unknown ones.
    fn put_headers(&mut self, headers: Option<&Value>) {
        let put = |this: &mut Self, name: &str, value: &Value| {
            let name = name.to_ascii_lowercase().replace('_', "-");
            this.put(&format!("http.header.{name}"), Some(value));
        };
        for (name, value) in headers.and_then(Value::as_object).into_iter().flatten() {
            match value.as_array().filter(|_| name == "unknown") {
                Some(unknown) => {
                    for one in unknown {
                        if let (Some(name), Some(value)) = (word(one, "key"), one.get("value")) {
                            put(self, name, value);
                        }
                    }
                }
                None => put(self, name, value.get("headers").unwrap_or(value)),
            }
        }
    }

    fn put_title_of(&mut self, body: Option<&Value>) {
        let Some(body) = body.and_then(Value::as_str) else { return };
        let head = &body[..body.floor_char_boundary(VALUE_MAX)];
        let lower = head.to_ascii_lowercase();
        let title = lower.find("<title").and_then(|open| {
            let start = open + lower[open..].find('>')? + 1;
            Some(head[start..start + lower[start..].find("</title")?].trim().to_owned())
        });
        self.put("http.title", title.map(Value::String).as_ref());
    }
}

fn zgrab(host: &Value, name: &str, module: &Value) -> Result<Observation, Reason> {
    let mut one = Observation::new(host, module, &["ip"], &["timestamp"])?;
    let result = module.get("result").unwrap_or(&Value::Null);
    let response = at(result, "response");
    let url = at(result, "response.request.url");
    let of_url = || {
        let host = word(url?, "host")?;
        let named = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map(|(_, port)| port.parse().ok());
        named.flatten().or_else(|| (word(url?, "scheme")? == "https").then_some(443))
    };
    one.port = port(module).or_else(|| port(host)).or_else(of_url);
    one.protocol = matches!(name, "ntp" | "bacnet" | "dnp3" | "siemens").then_some(UDP).or(Some(TCP));
    one.put("service", Some(&Value::String(name.to_owned())));
    one.put("name", host.get("domain"));
    one.put_all(
        result,
        &[
            ("banner", "banner"),
            ("http.status", "response.status_code"),
            ("http.body_sha256", "response.body_sha256"),
            ("ssh.key_sha256", "key_exchange.server_host_key.fingerprint_sha256"),
            ("ssh.version", "server_id.raw"),
            ("jarm", "fingerprint"),
        ],
    );
    one.put_headers(response.and_then(|response| response.get("headers")));
    one.put_title_of(response.and_then(|response| response.get("body")));
    let log = ["response.request.tls_log", "tls", "tls_log"].into_iter().find_map(|path| at(result, path));
    let log = log.and_then(|log| log.get("handshake_log")).or_else(|| at(result, "handshake_log"));
    if let Some(cert) = log.and_then(|log| at(log, "server_certificates.certificate.parsed")) {
        one.put_all(
            cert,
            &[
                ("tls.cert.sha256", "fingerprint_sha256"),
                ("tls.cert.sha1", "fingerprint_sha1"),
                ("tls.cert.md5", "fingerprint_md5"),
                ("tls.cert.serial", "serial_number"),
                ("tls.cert.subject", "subject_dn"),
                ("tls.cert.issuer", "issuer_dn"),
            ],
        );
    }
    Ok(one)
}

fn shodan(host: &Value, banner: &Value) -> Result<Observation, Reason> {
    let mut one = Observation::new(host, banner, &["ip_str"], &["timestamp"])?;
    one.port = port(banner);
    one.protocol = transport(word(banner, "transport"));
    one.put_all(
        banner,
        &[
            ("banner", "data"),
            ("service", "_shodan.module"),
            ("product", "product"),
            ("software", "version"),
            ("tag", "tags"),
            ("name", "hostnames"),
            ("http.status", "http.status"),
            ("http.title", "http.title"),
            ("http.header.server", "http.server"),
            ("http.html_hash", "http.html_hash"),
            ("tls.cert.sha256", "ssl.cert.fingerprint.sha256"),
            ("tls.cert.sha1", "ssl.cert.fingerprint.sha1"),
            ("tls.cert.serial", "ssl.cert.serial"),
            ("jarm", "ssl.jarm"),
            ("ja3s", "ssl.ja3s"),
            ("ja4s", "ssl.ja4s"),
            ("ja4x", "ssl.ja4x"),
            ("ssh.key_sha256", "ssh.fingerprint"),
            ("ssh.hassh", "ssh.hassh"),
        ],
    );
    one.put_asn(banner.get("asn").or_else(|| host.get("asn")));
    for (field, path) in [("tls.cert.subject", "ssl.cert.subject"), ("tls.cert.issuer", "ssl.cert.issuer")] {
        let parts = at(banner, path).and_then(Value::as_object).into_iter().flatten();
        let name: Vec<String> =
            parts.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        one.put(field, Some(&Value::String(name.join(", "))));
    }
    // Of a web server the banner is the head of its response.
    if banner.get("http").is_some() {
        let head = word(banner, "data").unwrap_or_default();
        for (name, value) in head.lines().skip(1).map_while(|line| line.split_once(':')) {
            let field = format!("http.header.{}", name.trim().to_ascii_lowercase());
            if one.values(&field).is_empty() {
                one.put(&field, Some(&Value::String(value.trim().to_owned())));
            }
        }
    }
    Ok(one)
}

fn censys(host: &Value, service: &Value) -> Result<Observation, Reason> {
    let times = ["observed_at", "scan_time", "last_updated_at"];
    let mut one = Observation::new(host, service, &["ip"], &times)?;
    one.port = port(service);
    one.protocol = transport(word(service, "transport_protocol"));
    one.put_all(
        service,
        &[
            ("banner", "banner"),
            ("service", "service_name"),
            ("service", "protocol"),
            ("product", "software.product"),
            ("tag", "labels"),
            ("http.status", "http.response.status_code"),
            ("http.title", "http.response.html_title"),
            ("tls.cert.sha256", "tls.certificates.leaf_fp_sha256"),
            ("tls.cert.sha256", "cert.fingerprint_sha256"),
            ("tls.cert.sha1", "cert.fingerprint_sha1"),
            ("tls.cert.subject", "tls.certificates.leaf_data.subject_dn"),
            ("tls.cert.subject", "cert.parsed.subject_dn"),
            ("tls.cert.issuer", "tls.certificates.leaf_data.issuer_dn"),
            ("tls.cert.issuer", "cert.parsed.issuer_dn"),
            ("jarm", "jarm.fingerprint"),
            ("ja3s", "tls.ja3s"),
            ("ja4s", "tls.ja4s"),
            ("ssh.key_sha256", "ssh.server_host_key.fingerprint_sha256"),
            ("ssh.version", "ssh.endpoint_id.raw"),
        ],
    );
    one.put_asn(at(host, "autonomous_system.asn"));
    // The platform of 2025 lists what answered on a port under `endpoints`.
    let endpoints = service.get("endpoints").and_then(Value::as_array).into_iter().flatten();
    let responses = endpoints.filter_map(|endpoint| endpoint.get("http"));
    for response in at(service, "http.response").into_iter().chain(responses) {
        one.put_headers(response.get("headers"));
        one.put("http.title", response.get("html_title").filter(|_| at(service, "http").is_none()));
        let hashes =
            [response.get("body_hash"), response.get("body_hash_sha256"), response.get("body_hashes")];
        for hash in hashes.into_iter().flatten() {
            one.put_hash(hash);
        }
    }
    Ok(one)
}

impl Observation {
    /// The number of an AS, with or without `AS` before it.
    fn put_asn(&mut self, asn: Option<&Value>) {
        let digits = match asn {
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.trim_start_matches(['A', 'S', 'a', 's']).to_owned(),
            _ => return,
        };
        if digits.parse::<u32>().is_ok() {
            self.put("asn", Some(&Value::String(digits)));
        }
    }

    /// A hash of a body with its function in front, `sha1:…`, or without it, SHA-256.
    fn put_hash(&mut self, hash: &Value) {
        if let Some(list) = hash.as_array() {
            return list.iter().for_each(|hash| self.put_hash(hash));
        }
        let Some(text) = hash.as_str() else { return };
        let (function, digits) = text.split_once(':').unwrap_or(("sha256", text));
        self.put(&format!("http.body_{function}"), Some(&Value::String(digits.to_owned())));
    }
}

/// The value at a path of names.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

fn word<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn port(value: &Value) -> Option<u16> {
    value.get("port")?.as_u64()?.try_into().ok().filter(|port| *port > 0)
}

fn transport(word: Option<&str>) -> Option<u8> {
    match word?.to_ascii_lowercase().as_str() {
        "tcp" => Some(TCP),
        "udp" | "quic" => Some(UDP),
        _ => None,
    }
}
