//! What a lookup asks about, and where the book must be opened to answer it.

use rahdar_model::{Address, Prefix};

use crate::name;

/// An address, or a name: of a domain, a URL, or the hash of a file or a certificate.
///
/// Its keys are what a book that is asked for one subject must look up. A snapshot of no more than
/// the claims, facts and notes under them answers as the whole book does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An address.
    Address(Address),
    /// Anything else, as the book keeps names.
    Name(String),
}

impl Subject {
    /// What a person wrote, refanged.
    pub fn of(text: &str) -> Self {
        match text.trim().parse() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Name(name::key(text)),
        }
    }

    /// The texts of every indicator that may be claimed of it, the subject's own first.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Address(address) => {
                (0..=128).rev().map(|bits| Prefix::new(*address, bits).to_string()).collect()
            }
            Self::Name(name) => {
                let host = name::url_host(name);
                let mut keys = vec![name.clone()];
                let host = host.as_ref().unwrap_or(name);
                keys.extend((host != name).then(|| host.clone()));
                keys.extend(name::parents(host).map(str::to_owned));
                keys
            }
        }
    }

    /// The names that a list may hold to warn of it: its host, and all names above.
    pub fn noted(&self) -> Vec<String> {
        let name = match self {
            Self::Address(address) => address.to_string(),
            Self::Name(name) => name::url_host(name).unwrap_or_else(|| name.clone()),
        };
        let above = std::iter::successors(Some(name.as_str()), |name| Some(name.split_once('.')?.1));
        above.map(str::to_owned).collect()
    }

    /// The host of a URL, as [`Subject::of`] has it; none if it has no valid one.
    pub fn host_of_url(url: &str) -> Option<String> {
        name::url_host(url)
    }
}
