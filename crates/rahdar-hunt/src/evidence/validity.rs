//! G3: whether the claim held when the flow was seen (`methods.md` §2.2, §7.4).
//!
//! | state | dB |
//! |---|---|
//! | inside a window that the source states | +8 |
//! | inside a window derived from a date of publication or from a name, or of a claim that nobody dated | +3 |
//! | the claim has a window, and nobody knows when the flow was | 0, and never above "possible" |
//! | outside by 30 days or less | −5 |
//! | outside by more | −12, and never above "possible" |
//! | after the window, and passive DNS shows that somebody else had the address by then | −25, and never above "possible" |
//! | outside by more than an indicator lives: 120 days after, 30 before; or valid never | −12, and not believed |
//!
//! The last row is the decay of MISP's default model for network indicators, score = 100·(1 −
//! √(t/120 d)), which is nothing after 120 days; backwards the specification gives it 30. A
//! session that overlaps the window is inside. Of several claims the best for that time speaks,
//! each with its own window.
//!
//! A flow whose clock is not to be trusted is held against the window by its arrival
//! ([`crate::arrival`]). Only where that is not known either is no window checked: then it may as well lie
//! outside, and the claim proves nothing of that time.
//!
//! What is said of a window says whose it is: stated by the source, given by whoever imported it, or
//! counted by rahdar from a publication or from what a name stood for. A rule of ours is never put into
//! the mouth of a source.
//!
//! Wrong for windows that a scanner observed: the server stood longer than it was looked at.
//!
//! ```
//! use rahdar_hunt::evidence::validity::Validity;
//!
//! assert_eq!(Validity::outside(10, false), Validity::Near { days: 10 });
//! assert_eq!(Validity::outside(100, false), Validity::Far { days: 100 });
//! assert_eq!(Validity::outside(100, true), Validity::Expired { days: 100 });
//! ```

use rahdar_model::intelligence::{Claim, WindowBasis};
use rahdar_model::time::DAY_US;
use rahdar_model::{Timestamp, Window};

use super::{Group, Row};

/// Outside by this many days is near.
const NEAR_DAYS: i64 = 30;
/// Days after its window that an indicator lives (MISP, NIDS decaying model, τ).
const LIFE_AFTER_DAYS: i64 = 120;
/// Days before its window that an indicator may have lived (`methods.md` §7.4, τ_b).
const LIFE_BEFORE_DAYS: i64 = 30;

/// Whether a claim held, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// Inside a window that someone stated.
    Stated,
    /// Inside a derived window, or undated.
    Derived,
    /// Nobody knows when the flow was.
    Unclocked,
    /// Outside, by days rounded up.
    Near {
        /// How many.
        days: i64,
    },
    /// Well outside.
    Far {
        /// How many.
        days: i64,
    },
    /// Outside, and somebody else had the address by then.
    Reassigned {
        /// How many days after the window.
        days: i64,
    },
    /// Outside by more than an indicator lives.
    Expired {
        /// How many.
        days: i64,
    },
    /// Its window is empty.
    Never,
}

impl Validity {
    /// The state `days` outside the window.
    pub fn outside(days: i64, is_before: bool) -> Self {
        match days {
            ..=NEAR_DAYS => Self::Near { days },
            _ if days > if is_before { LIFE_BEFORE_DAYS } else { LIFE_AFTER_DAYS } => Self::Expired { days },
            _ => Self::Far { days },
        }
    }

    /// The state of a claim for a flow from `start` to `end`.
    pub fn of(claim: &Claim, start: Timestamp, end: Timestamp, clock_suspect: bool) -> Self {
        let Window { from, until } = claim.validity;
        if claim.validity.is_empty() {
            return Self::Never;
        }
        if claim.basis == WindowBasis::Undated {
            return Self::Derived;
        }
        if clock_suspect {
            return if claim.validity == Window::ALL { Self::Derived } else { Self::Unclocked };
        }
        if start < until && end >= from {
            return match claim.basis {
                WindowBasis::Published
                | WindowBasis::Resolved
                | WindowBasis::Presented
                | WindowBasis::Undated => Self::Derived,
                WindowBasis::Stated | WindowBasis::Heading | WindowBasis::Operator => Self::Stated,
            };
        }
        let is_before = end < from;
        let gap_us = if is_before { from.since(end) } else { start.since(until) };
        Self::outside(gap_us / DAY_US + 1, is_before)
    }

    /// The same where passive DNS shows that somebody else had the address between the window and
    /// the flow.
    pub fn reassigned(self) -> Self {
        match self {
            Self::Near { days } | Self::Far { days } => Self::Reassigned { days },
            other => other,
        }
    }

    /// Whether the contact is far from the window, or somebody else had the address: something else of the cluster must
    /// then be fresh ([`crate::grade`]).
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Far { .. } | Self::Reassigned { .. })
    }

    /// Decibans.
    pub const fn weight(self) -> f64 {
        match self {
            Self::Stated => 8.0,
            Self::Derived => 3.0,
            Self::Unclocked => 0.0,
            Self::Near { .. } => -5.0,
            Self::Far { .. } | Self::Expired { .. } | Self::Never => -12.0,
            Self::Reassigned { .. } => -25.0,
        }
    }

    /// Whether the claim held, for all that is known.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Stated | Self::Derived)
    }

    /// Whether the claim may have held.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Stated | Self::Derived | Self::Unclocked)
    }

    /// Whether the claim cannot have held.
    pub const fn is_kill(self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Never)
    }

    /// The reason, for the claim that was the best and a flow that ended at `end`.
    pub fn row(self, claim: &Claim, end: Timestamp) -> Row {
        let source = &claim.source;
        let (kind, text) = match self {
            Self::Stated | Self::Derived if claim.basis == WindowBasis::Undated => {
                ("validity", format!("{source} gives no date, so that the claim holds for all time, weakly"))
            }
            Self::Stated | Self::Derived => ("validity", format!("inside {}", whose(claim))),
            Self::Unclocked => (
                "clock",
                format!("no clock tells when the flows were: none was held against {}", whose(claim)),
            ),
            Self::Near { .. } | Self::Far { .. } | Self::Expired { .. } if end < claim.validity.from => {
                ("before_window", self.beside(claim, "before"))
            }
            Self::Near { .. } | Self::Far { .. } | Self::Expired { .. } | Self::Never => {
                ("outside_window", self.beside(claim, "outside"))
            }
            Self::Reassigned { .. } => {
                let beside = self.beside(claim, "outside");
                ("reassigned", format!("{beside}; passive DNS shows another name on the address by then"))
            }
        };
        Row::new(Group::Validity, kind, self.weight(), text)
    }

    /// How far from its window: `24 days outside …`.
    fn beside(self, claim: &Claim, side: &str) -> String {
        match self {
            Self::Near { days } | Self::Far { days } | Self::Expired { days } | Self::Reassigned { days } => {
                let days = super::counted(days.unsigned_abs(), "day");
                format!("{days} {side} {}", whose(claim))
            }
            _ => format!("the claim of {} holds at no time", claim.source),
        }
    }
}

/// A window, and whose word it is.
fn whose(claim: &Claim) -> String {
    let (source, window) = (&claim.source, span(claim.validity));
    match claim.basis {
        WindowBasis::Stated => format!("the window that {source} states: {window}"),
        WindowBasis::Heading => format!("the window in the heading of {source}: {window}"),
        WindowBasis::Operator => format!("the window given when {source} was imported: {window}"),
        WindowBasis::Published => {
            let on = claim.published.map_or_else(String::new, |at| format!(" on {}", at.day()));
            format!("{window}, assumed by rahdar from the publication of {source}{on}")
        }
        WindowBasis::Resolved => {
            format!("{window}, when a name claimed by {source} stood for this address (± 1 day)")
        }
        WindowBasis::Presented => {
            format!("{window}, when this server presented a certificate claimed by {source} (± 1 day)")
        }
        WindowBasis::Undated => format!("all time, for {source} gives no date"),
    }
}

/// A window in words: `2021-03-01 to 2021-05-31`, both days inside.
fn span(window: Window) -> String {
    let last = window.until.plus_micros(-1);
    match (window.from, window.until) {
        (Timestamp::MIN, Timestamp::MAX) => "all time".to_owned(),
        (Timestamp::MIN, _) => format!("until {}", last.day()),
        (from, Timestamp::MAX) => format!("since {}", from.day()),
        (from, _) => format!("{} to {}", from.day(), last.day()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rahdar_model::intelligence::Indicator;
    use rahdar_testkit::{prefix, time, window};

    use super::*;

    /// A claim of "CERT X", 2021-03-18 to 2021-06-16.
    fn claim(basis: WindowBasis) -> Claim {
        Claim {
            indicator: Indicator::Network(prefix("192.0.2.9/32")),
            port: None,
            protocol: None,
            validity: window("2021-03-18", "2021-06-17"),
            basis,
            cluster: None,
            tools: Vec::new(),
            source: Arc::from("CERT X"),
            place: String::new(),
            published: Some(time("2021-06-16")),
            confidence: None,
            tlp: None,
            revoked: false,
        }
    }

    fn check(basis: WindowBasis, at: &str, text: &str) {
        let claim = claim(basis);
        let row = Validity::of(&claim, time(at), time(at), false).row(&claim, time(at));
        assert_eq!(row.reason.text, text);
    }

    #[test]
    fn a_source_is_quoted_with_what_it_said() {
        let stated = "the window that CERT X states: 2021-03-18 to 2021-06-16";
        check(WindowBasis::Stated, "2021-04-01", &format!("inside {stated}"));
        check(WindowBasis::Stated, "2021-06-27", &format!("11 days outside {stated}"));
        let counted =
            "2021-03-18 to 2021-06-16, assumed by rahdar from the publication of CERT X on 2021-06-16";
        check(WindowBasis::Published, "2021-04-01", &format!("inside {counted}"));
        check(WindowBasis::Published, "2021-07-10", &format!("24 days outside {counted}"));
        check(WindowBasis::Published, "2022-07-10", &format!("389 days outside {counted}"));
        let given = "the window given when CERT X was imported: 2021-03-18 to 2021-06-16";
        check(WindowBasis::Operator, "2021-06-17", &format!("1 day outside {given}"));
        check(WindowBasis::Operator, "2021-03-08", &format!("11 days before {given}"));
        let heading = "the window in the heading of CERT X: 2021-03-18 to 2021-06-16";
        check(WindowBasis::Heading, "2021-05-01", &format!("inside {heading}"));
        let resolved =
            "2021-03-18 to 2021-06-16, when a name claimed by CERT X stood for this address (± 1 day)";
        check(WindowBasis::Resolved, "2021-06-25", &format!("9 days outside {resolved}"));
    }

    #[test]
    fn without_a_time_a_window_is_not_checked_and_a_claim_without_one_holds() {
        let of = |claim: &Claim| Validity::of(claim, Timestamp::default(), Timestamp::default(), true);
        assert_eq!(of(&claim(WindowBasis::Stated)), Validity::Unclocked);
        assert_eq!(of(&claim(WindowBasis::Undated)), Validity::Derived);
        let always = Claim { validity: Window::ALL, ..claim(WindowBasis::Stated) };
        assert_eq!(of(&always), Validity::Derived);
    }
}
