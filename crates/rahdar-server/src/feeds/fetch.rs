//! One question until there is an answer, or until there is no use in asking again.

use std::time::Duration;

use jiff::fmt::rfc2822;
use rahdar_model::time::SECOND_US;
use rahdar_model::{Clock, Timestamp};

use super::FeedError;
use crate::outbound::guard::shown;
use crate::outbound::{Answer, Ask, Outbound, OutboundError};
use crate::server::Stop;

/// How often one question is asked; chosen here: half a minute of waiting in all.
const TRIES: u32 = 5;

/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// The longest wait that a server may ask for; chosen here: who asks for more is asked at the next sync.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// Asks for one feed.
pub(super) struct Fetch<'a> {
    pub(super) outbound: Outbound,
    pub(super) clock: &'a dyn Clock,
    pub(super) stop: &'a Stop,
}

impl Fetch<'_> {
    /// The answer: 200, or 304 where a version was known.
    pub(super) fn get(&self, ask: &Ask) -> Result<Answer, FeedError> {
        let mut tried = 0;
        loop {
            tried += 1;
            match judge(ask, self.outbound.ask(ask), tried, self.clock.now()) {
                Verdict::Done(answer) => return answer,
                Verdict::Again(wait) => {
                    if !self.stop.wait(wait) {
                        return Err(FeedError::Stopped);
                    }
                }
            }
        }
    }
}

/// What follows from an answer.
enum Verdict {
    Done(Result<Answer, FeedError>),
    Again(Duration),
}

fn judge(ask: &Ask, answer: Result<Answer, OutboundError>, tried: u32, now: Timestamp) -> Verdict {
    let url = || shown(&ask.url);
    let backed_off = FIRST_WAIT * 2_u32.pow(tried - 1);
    match answer {
        Err(error @ (OutboundError::Unreachable { .. } | OutboundError::Slow { .. })) => {
            if tried < TRIES {
                Verdict::Again(backed_off)
            } else {
                Verdict::Done(Err(error.into()))
            }
        }
        Err(error) => Verdict::Done(Err(error.into())),
        Ok(answer) => match answer.status {
            200 | 304 => Verdict::Done(Ok(answer)),
            401 | 403 => Verdict::Done(Err(FeedError::Credentials { url: url(), status: answer.status })),
            // Later, says the server, or something between it and us.
            408 | 429 | 500 | 502..=504 => {
                let wait = answer.retry_after.as_deref().and_then(|text| retry_after(text, now));
                let wait = wait.unwrap_or(backed_off);
                if wait > WAIT_MAX {
                    Verdict::Done(Err(FeedError::Later { url: url(), seconds: wait.as_secs() }))
                } else if tried < TRIES {
                    Verdict::Again(wait)
                } else {
                    Verdict::Done(Err(FeedError::Status { url: url(), status: answer.status }))
                }
            }
            status => Verdict::Done(Err(FeedError::Status { url: url(), status })),
        },
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp().as_microsecond();
    let wait_us = Timestamp::from_micros(at).since(now).clamp(0, i64::MAX - SECOND_US);
    Some(Duration::from_micros(wait_us.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::outbound::Known;

    fn check(answer: Result<(u16, Option<&str>), ()>, tried: u32, expected: &str) {
        let url = Url::parse("https://feed.example.org/a?key=secret").unwrap();
        let ask = Ask { url, accept: "", known: Known::default() };
        let answer = match answer {
            Ok((status, after)) => {
                Ok(Answer { status, retry_after: after.map(str::to_owned), ..Answer::default() })
            }
            Err(()) => Err(OutboundError::Unreachable { url: "x".to_owned(), cause: "refused".into() }),
        };
        let told = match judge(&ask, answer, tried, "2026-11-22T12:00:00Z".parse().unwrap()) {
            Verdict::Again(wait) => format!("again in {wait:?}"),
            Verdict::Done(Ok(answer)) => format!("{}", answer.status),
            Verdict::Done(Err(error)) => error.to_string(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn who_is_busy_is_asked_again_ever_later() {
        check(Ok((503, None)), 1, "again in 2s");
        check(Ok((503, None)), 4, "again in 16s");
        check(Ok((503, None)), 5, "`https://feed.example.org/a` answers with status 503");
        check(Err(()), 2, "again in 4s");
        check(Err(()), 5, "`x` does not answer");
    }

    #[test]
    fn a_server_says_itself_how_long_to_wait() {
        check(Ok((429, Some("7"))), 1, "again in 7s");
        check(Ok((503, Some("Sun, 22 Nov 2026 12:00:30 GMT"))), 1, "again in 30s");
        check(Ok((503, Some("Sun, 22 Nov 2026 11:00:00 GMT"))), 1, "again in 0ns");
        check(Ok((503, Some("soon"))), 1, "again in 2s");
        let later = "`https://feed.example.org/a` asks to come back in 86400 seconds";
        check(Ok((429, Some("86400"))), 1, later);
    }

    #[test]
    fn what_will_not_change_is_not_asked_again() {
        check(Ok((200, None)), 1, "200");
        check(Ok((304, None)), 1, "304");
        let refused =
            "`https://feed.example.org/a` refused access (status 401): check the entry's credentials";
        check(Ok((401, None)), 1, refused);
        check(Ok((404, None)), 1, "`https://feed.example.org/a` answers with status 404");
    }
}
