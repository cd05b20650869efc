//! The file of feeds: what the operator wrote down, and nothing else is ever asked.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rahdar_intel::ReadOptions;
use rahdar_model::intelligence::Tlp;
use reqwest::Url;
use serde::Deserialize;
use thiserror::Error;

use super::Environment;
use crate::outbound::Credentials;
use crate::outbound::guard::Allowed;

/// Octets of the file, and of a secret, at most; chosen here: a thousand feeds fit.
const FILE_OCTETS_MAX: u64 = 1 << 20;

/// The longest name of a feed; chosen here: it is a column and the name of a source.
const NAME_MAX: usize = 64;

/// One feed.
#[derive(Clone)]
pub struct Feed {
    name: String,
    kind: Kind,
    url: Url,
    collections: Vec<String>,
    login: Option<Login>,
    options: ReadOptions,
    private_hosts: Vec<String>,
    plain_http: bool,
}

/// How a feed is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// TAXII 2.1.
    Taxii,
    /// A folder of MISP events with a manifest.
    Misp,
    /// One file of any kind that `intel import` reads.
    List,
}

/// How the operator is known to the feed, and where the secret lies.
#[derive(Debug, Clone)]
enum Login {
    Basic { user: String, password: Secret },
    Token { scheme: String, token: Secret },
}

/// Where a secret lies. It is read when it is needed, and shown nowhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Secret {
    /// In this file, on its first line.
    File(PathBuf),
    /// In this variable of the environment.
    Env(String),
}

/// A file of feeds that cannot be used, by what the operator can do about it.
#[derive(Debug, Error)]
pub enum FeedsError {
    /// It cannot be read.
    #[error("cannot read `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// It has not the form of a file of feeds.
    #[error("line {line}, column {column}: {detail}")]
    Form {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong there.
        detail: String,
    },
    /// An entry that contradicts itself.
    #[error("feed `{name}`: {detail}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A name that no entry has.
    #[error("there is no feed `{0}` in it")]
    Unknown(String),
    /// A secret that is not where the entry says.
    #[error("feed `{name}`: its secret cannot be read from {place}")]
    Secret {
        /// Its name.
        name: String,
        /// The file, or the variable.
        place: String,
        /// Why.
        #[source]
        cause: Option<std::io::Error>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    feeds: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    kind: Kind,
    url: String,
    #[serde(default)]
    collections: Vec<String>,
    user: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    scheme: Option<String>,
    tlp: Option<String>,
    source: Option<String>,
    cluster: Option<String>,
    confidence: Option<u8>,
    #[serde(default)]
    private_hosts: Vec<String>,
    #[serde(default)]
    plain_http: bool,
}

impl Feed {
    /// The feeds of a file, in its order; none if there is no file.
    ///
    /// # Errors
    /// [`FeedsError`], with the place.
    pub fn all(path: &Path) -> Result<Vec<Self>, FeedsError> {
        let failed = |cause| FeedsError::File { path: path.to_owned(), cause };
        match read(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(error)),
        }
    }

    /// The feeds of a text.
    ///
    /// # Errors
    /// [`FeedsError::Form`] or [`FeedsError::Entry`].
    pub fn parse(text: &str) -> Result<Vec<Self>, FeedsError> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Vec::new());
        }
        let file: File = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location();
            let told = error.without_snippet().to_string();
            FeedsError::Form {
                line: place.map_or(1, |place| place.line()),
                column: place.map_or(1, |place| place.column()),
                detail: told.lines().next().unwrap_or_default().to_owned(),
            }
        })?;
        let mut names = BTreeSet::new();
        let mut feeds = Vec::new();
        for entry in file.feeds {
            let name = entry.name.clone();
            let wrong = |detail: String| FeedsError::Entry { name: name.clone(), detail };
            if !names.insert(name.clone()) {
                return Err(wrong("another feed has that name".to_owned()));
            }
            feeds.push(Self::of(entry).map_err(wrong)?);
        }
        Ok(feeds)
    }

    /// The feeds of these names, in the order of the file; all, if no name is given.
    ///
    /// # Errors
    /// [`FeedsError::Unknown`].
    pub fn named(feeds: Vec<Self>, names: &[String]) -> Result<Vec<Self>, FeedsError> {
        if let Some(unknown) = names.iter().find(|name| feeds.iter().all(|feed| feed.name != **name)) {
            return Err(FeedsError::Unknown(unknown.clone()));
        }
        Ok(feeds.into_iter().filter(|feed| names.is_empty() || names.contains(&feed.name)).collect())
    }

    fn of(entry: Entry) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if entry.name.is_empty() || entry.name.len() > NAME_MAX || !entry.name.chars().all(plain) {
            return Err(format!("its name is not 1 to {NAME_MAX} letters, digits, `-`, `_` or `.`"));
        }
        let url: Url = entry.url.parse().map_err(|error| format!("`url` is no URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("`url` holds credentials: `user`, `password` and `token` are for them".to_owned());
        }
        let needs_https = url.scheme() != "https" && !(url.scheme() == "http" && entry.plain_http);
        if url.host_str().is_none() || needs_https {
            return Err("`url` is not https; `plain_http: true` allows http".to_owned());
        }
        if entry.kind != Kind::Taxii && !entry.collections.is_empty() {
            return Err("`collections` are of TAXII".to_owned());
        }
        if entry.scheme.is_some() && entry.token.is_none() {
            return Err("`scheme` is that of a `token`".to_owned());
        }
        let login = match (entry.user, entry.password, entry.token) {
            (None, None, None) => None,
            (Some(user), Some(password), None) => Some(Login::Basic { user, password }),
            (None, None, Some(token)) => {
                let scheme = entry.scheme.unwrap_or_else(|| "Bearer".to_owned());
                Some(Login::Token { scheme, token })
            }
            _ => return Err("give `user` and `password`, or `token`".to_owned()),
        };
        if entry.confidence.is_some_and(|confidence| confidence > 100) {
            return Err("`confidence` is from 0 to 100".to_owned());
        }
        let tlp = entry.tlp.map(|word| {
            Tlp::from_word(&word).ok_or("`tlp` is one of clear, green, amber, amber+strict, red")
        });
        let options = ReadOptions {
            cluster: entry.cluster,
            source: entry.source,
            tlp: tlp.transpose()?,
            confidence: entry.confidence,
            ..ReadOptions::default()
        };
        Ok(Self {
            name: entry.name,
            kind: entry.kind,
            url,
            collections: entry.collections,
            login,
            options,
            private_hosts: entry.private_hosts,
            plain_http: entry.plain_http,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Ids, aliases or titles of collections; empty: all.
    pub(super) fn collections(&self) -> &[String] {
        &self.collections
    }

    pub(super) fn options(&self) -> &ReadOptions {
        &self.options
    }

    pub(super) fn allowed(&self) -> Allowed {
        Allowed {
            home: self.url.clone(),
            private_hosts: self.private_hosts.clone(),
            plain_http: self.plain_http,
        }
    }

    /// Reads the secret.
    pub(super) fn credentials(
        &self,
        environment: Environment<'_>,
    ) -> Result<Option<Credentials>, FeedsError> {
        let secret = |secret: &Secret| {
            let (place, found) = match secret {
                Secret::File(path) => {
                    let text = read(path);
                    let line = text.map(|text| text.lines().next().unwrap_or_default().to_owned());
                    (format!("`{}`", path.display()), line.map_err(Some))
                }
                Secret::Env(name) => (format!("`${name}`"), environment(name).ok_or(None)),
            };
            let failed = |cause| FeedsError::Secret { name: self.name.clone(), place: place.clone(), cause };
            let found = found.map_err(failed)?;
            if found.is_empty() { Err(failed(None)) } else { Ok(found) }
        };
        Ok(match &self.login {
            None => None,
            Some(Login::Basic { user, password }) => {
                Some(Credentials::Basic { user: user.clone(), password: secret(password)? })
            }
            Some(Login::Token { scheme, token }) => {
                Some(Credentials::Token { scheme: scheme.clone(), token: secret(token)? })
            }
        })
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if fs::metadata(path)?.len() > FILE_OCTETS_MAX {
        return Err(std::io::Error::other(format!("it is larger than {FILE_OCTETS_MAX} octets")));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\
feeds:
  - name: cert-taxii
    kind: taxii
    url: https://taxii.example.org/taxii2/
    collections: [indicators]
    user: analyst
    password: {env: CERT_PASSWORD}
    tlp: amber
    source: CERT Example
    confidence: 70
  - name: partner
    kind: misp
    url: http://misp.lan/feed/
    token: {file: /nowhere/key}
    scheme: ''
    private_hosts: [misp.lan]
    plain_http: true
";

    #[test]
    fn every_field_of_an_entry_is_read() {
        let feeds = Feed::parse(WHOLE).unwrap();
        let [cert, partner] = &feeds[..] else { panic!("{feeds:?}") };
        assert_eq!(
            (cert.name(), cert.kind(), cert.url().host_str()),
            ("cert-taxii", Kind::Taxii, Some("taxii.example.org"))
        );
        assert_eq!((cert.options().tlp, cert.options().confidence), (Some(Tlp::Amber), Some(70)));
        assert_eq!(cert.options().source.as_deref(), Some("CERT Example"));
        let known = |name: &str| (name == "CERT_PASSWORD").then(|| "secret".to_owned());
        let Ok(Some(Credentials::Basic { user, password })) = cert.credentials(&known) else { panic!() };
        assert_eq!((user.as_str(), password.as_str()), ("analyst", "secret"));
        assert!(partner.allowed().plain_http);
        let error = partner.credentials(&known).err().unwrap().to_string();
        assert_eq!(error, "feed `partner`: its secret cannot be read from `/nowhere/key`");
        assert!(cert.credentials(&|_| None).err().unwrap().to_string().ends_with("from `$CERT_PASSWORD`"));
    }

    #[test]
    fn no_file_and_an_empty_one_are_no_feeds() {
        assert!(Feed::all(Path::new("/nowhere/feeds.yaml")).unwrap().is_empty());
        assert!(Feed::parse("# none yet\n\n").unwrap().is_empty());
        assert!(Feed::parse("feeds: []\n").unwrap().is_empty());
    }

    fn check(lines: &str, expected: &str) {
        let text = format!("feeds:\n  - name: a\n    kind: list\n{lines}");
        let error = Feed::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{lines}: {error}");
    }

    #[test]
    fn an_entry_that_contradicts_itself_is_named() {
        let url = "    url: https://example.org/a\n";
        check("", "url");
        check("    url: example.org\n", "no URL");
        check("    url: http://example.org/\n", "not https");
        check("    url: file:///etc/passwd\n", "not https");
        check("    url: https://a:b@example.org/\n", "holds credentials");
        check(&format!("{url}    colour: red\n"), "line 5");
        check(&format!("{url}    tlp: purple\n"), "`tlp`");
        check(&format!("{url}    confidence: 101\n"), "`confidence`");
        check(&format!("{url}    user: a\n"), "`password`");
        check(&format!("{url}    user: a\n    token: {{env: A}}\n"), "or `token`");
        check(&format!("{url}    scheme: Token\n"), "`scheme`");
        check(&format!("{url}    password: word\n"), "line 5");
        check(&format!("{url}    collections: [a]\n"), "TAXII");
        check(&format!("{url}  - name: a\n    kind: list\n{url}"), "another feed");
        check(&format!("{url}  - name: ../a\n    kind: list\n{url}"), "letters");
    }

    #[test]
    fn feeds_are_chosen_by_name() {
        let names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Feed::named(Feed::parse(WHOLE).unwrap(), &names).map(|feeds| feeds.len())
        };
        assert_eq!(names(&[]).unwrap(), 2);
        assert_eq!(names(&["partner"]).unwrap(), 1);
        assert_eq!(names(&["other"]).unwrap_err().to_string(), "there is no feed `other` in it");
    }
}
