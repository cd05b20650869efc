//! The one client that reaches out, and only to what the operator wrote down.
//!
//! Each connection goes to an address that [`guard`] has looked at; redirects are followed by hand, so that
//! each is looked at too; credentials stay with the host that they are for; octets, time and what is packed
//! are bounded. No proxy is taken from the environment.

pub(crate) mod guard;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rahdar_intel::ReadError;
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Client, Method, StatusCode, Url};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

pub use guard::Refused;
use guard::{Guard, Unresolved, shown};

/// Redirects that one question may take; chosen here: file hosts take two.
const REDIRECTS_MAX: usize = 5;

/// Who asks.
const USER_AGENT: &str = concat!("rahdar/", env!("CARGO_PKG_VERSION"));

/// What an answer may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Octets, packed and unpacked.
    pub(crate) octets: usize,
    /// Until there is a connection.
    pub(crate) connect: Duration,
    /// Between two pieces of an answer.
    pub(crate) silence: Duration,
    /// Until the answer is whole, redirects and all.
    pub(crate) whole: Duration,
}

impl Default for Limits {
    /// What a file may have (`reliability.md` §3); ten and thirty seconds, and ten minutes: chosen here, for
    /// the largest file over a slow line, and for a server that is alive.
    fn default() -> Self {
        Self {
            octets: rahdar_intel::FILE_MAX,
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            whole: Duration::from_secs(600),
        }
    }
}

/// How the operator is known to a feed. Neither is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// HTTP basic (RFC 7617).
    Basic { user: String, password: String },
    /// A token behind the word of its scheme, such as `Bearer` (RFC 6750); no word: the token alone.
    Token { scheme: String, token: String },
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) url: Url,
    /// The media types that are understood.
    pub(crate) accept: &'static str,
    /// The version that is known: what `ETag` and `Last-Modified` said of it.
    pub(crate) known: Known,
}

/// What a server calls a version of a file (RFC 9110 §8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Known {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_modified: Option<String>,
}

/// An answer, whole and unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) retry_after: Option<String>,
    /// `X-TAXII-Date-Added-Last`.
    pub(crate) added_last: Option<String>,
    pub(crate) known: Known,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum OutboundError {
    /// It must not be asked. Only the operator can change that.
    #[error(transparent)]
    Refused(Refused),
    /// Nobody answered, or not to the end. Trying again may help.
    #[error("`{url}` does not answer")]
    Unreachable {
        url: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// It took too long. Trying again may help.
    #[error("`{url}` takes more than {} seconds", limit.as_secs())]
    Slow { url: String, limit: Duration },
    /// More than is taken of anybody.
    #[error("`{url}` answers with more than {limit} octets")]
    TooLarge { url: String, limit: usize },
    /// Redirected in a circle, or to nothing.
    #[error("`{url}` redirects too often")]
    Redirects { url: String },
    /// Packed in a way that was not asked for, or damaged.
    #[error("`{url}` answers with octets that cannot be unpacked")]
    Packed {
        url: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// A header that cannot be sent.
    #[error("the credentials hold a character that HTTP does not allow")]
    Credentials,
    /// The client itself cannot be made.
    #[error("the client cannot be set up")]
    Setup(#[source] Box<dyn Error + Send + Sync>),
}

/// A client for one feed. Calls block; do not call from asynchronous code.
pub(crate) struct Outbound {
    runtime: Runtime,
    client: Client,
    guard: Arc<Guard>,
    limits: Limits,
    credentials: Option<Credentials>,
}

impl Outbound {
    /// A client that asks what this guard lets through.
    pub(crate) fn new(
        guard: Guard,
        credentials: Option<Credentials>,
        limits: Limits,
    ) -> Result<Self, OutboundError> {
        let guard = Arc::new(guard);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| OutboundError::Setup(cause.into()))?;
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(limits.connect)
            .read_timeout(limits.silence)
            .dns_resolver(Arc::new(Names(guard.clone())))
            .build();
        let client = client.map_err(|cause| OutboundError::Setup(cause.into()))?;
        Ok(Self { runtime, client, guard, limits, credentials })
    }

    /// Asks, and follows redirects.
    pub(crate) fn ask(&self, ask: &Ask) -> Result<Answer, OutboundError> {
        let slow = |_| OutboundError::Slow { url: shown(&ask.url), limit: self.limits.whole };
        self.runtime.block_on(async { timeout(self.limits.whole, self.follow(ask)).await.map_err(slow)? })
    }

    async fn follow(&self, ask: &Ask) -> Result<Answer, OutboundError> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            match self.once(&url, ask).await? {
                Either::Answer(answer) => return Ok(answer),
                Either::Elsewhere(next) => url = next,
            }
        }
        Err(OutboundError::Redirects { url: shown(&ask.url) })
    }

    async fn once(&self, url: &Url, ask: &Ask) -> Result<Either, OutboundError> {
        self.guard.look_at(url).map_err(OutboundError::Refused)?;
        let unreachable = |error: reqwest::Error| failed(url, error);
        let mut request = self.client.request(Method::GET, url.clone());
        request = request.header(header::ACCEPT, ask.accept).header(header::ACCEPT_ENCODING, "gzip");
        if let Some(etag) = &ask.known.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &ask.known.last_modified {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
        if url.origin() == self.guard.home().origin() {
            request = match &self.credentials {
                Some(Credentials::Basic { user, password }) => request.basic_auth(user, Some(password)),
                Some(Credentials::Token { scheme, token }) => {
                    let value = format!("{scheme} {token}");
                    let value = header::HeaderValue::from_str(value.trim());
                    let mut value = value.map_err(|_| OutboundError::Credentials)?;
                    value.set_sensitive(true);
                    request.header(header::AUTHORIZATION, value)
                }
                None => request,
            };
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let is_redirect = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
        if let Some(place) = response.headers().get(header::LOCATION).filter(|_| is_redirect) {
            let next = place.to_str().ok().and_then(|place| url.join(place).ok());
            return next
                .map(Either::Elsewhere)
                .ok_or_else(|| OutboundError::Redirects { url: shown(&ask.url) });
        }
        let too_large = || OutboundError::TooLarge { url: shown(url), limit: self.limits.octets };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > self.limits.octets {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let headers = response.headers();
        let body = match text(headers, header::CONTENT_ENCODING).as_deref() {
            None | Some("identity" | "") => body,
            Some("gzip" | "x-gzip") if body.is_empty() => body,
            Some("gzip" | "x-gzip") => match rahdar_intel::unpack(&body) {
                Ok(unpacked) if unpacked.len() <= self.limits.octets => unpacked.into_owned(),
                Ok(_) | Err(ReadError::TooLarge { .. }) => return Err(too_large()),
                Err(cause) => return Err(OutboundError::Packed { url: shown(url), cause: cause.into() }),
            },
            Some(other) => {
                let cause = format!("`{other}` was not asked for").into();
                return Err(OutboundError::Packed { url: shown(url), cause });
            }
        };
        Ok(Either::Answer(Answer {
            status: status.as_u16(),
            content_type: text(headers, header::CONTENT_TYPE),
            retry_after: text(headers, header::RETRY_AFTER),
            added_last: text(headers, HeaderName::from_static("x-taxii-date-added-last")),
            known: Known {
                etag: text(headers, header::ETAG),
                last_modified: text(headers, header::LAST_MODIFIED),
            },
            body,
        }))
    }
}

enum Either {
    Answer(Answer),
    Elsewhere(Url),
}

/// A header as text; none if it is none.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|text| text.trim().to_owned())
}

/// A failure, by whether it was ours to refuse.
fn failed(url: &Url, error: reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(Unresolved::Refused(refused)) = error.downcast_ref() {
            return OutboundError::Refused(refused.clone());
        }
        cause = error.source();
    }
    // The address of a question may hold what is secret.
    OutboundError::Unreachable { url: shown(url), cause: error.without_url().into() }
}

/// The guard as the resolver of the client.
struct Names(Arc<Guard>);

impl reqwest::dns::Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let resolved = tokio::task::spawn_blocking(move || guard.resolve(name.as_str())).await;
            let addresses =
                resolved.unwrap_or_else(|died| Err(Unresolved::Lookup(io::Error::other(died))))?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
