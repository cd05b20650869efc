//! G3: whether the claim held when the flow was seen (`methods.md` §2.2, §7.4).
//!
//! | state | dB |
//! |---|---|
//! | inside a window that the source states | +8 |
//! | inside a window derived from a date of publication or from a name, or of a claim that nobody dated | +3 |
//! | the flow's clock is not to be trusted | 0 |
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
    /// The flow's own time is doubtful.
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
            return Self::Unclocked;
        }
        if start < until && end >= from {
            return match claim.basis {
                WindowBasis::Published | WindowBasis::Resolved | WindowBasis::Undated => Self::Derived,
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

    /// Whether nothing that speaks for the claim is fresh: amendment (d) of `methods.md` §2.2.
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

    /// Whether the claim may have held.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Stated | Self::Derived | Self::Unclocked)
    }

    /// Whether the claim cannot have held.
    pub const fn is_kill(self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Never)
    }

    /// The reason, for the claim that was the best.
    pub fn row(self, claim: &Claim) -> Row {
        let (source, window) = (&claim.source, span(claim.validity));
        let (kind, text) = match self {
            Self::Stated => ("validity", format!("inside the window that {source} states: {window}")),
            Self::Derived if claim.basis == WindowBasis::Undated => {
                ("validity", format!("{source} gives no date, so that the claim holds for all time, weakly"))
            }
            Self::Derived if claim.basis == WindowBasis::Resolved => (
                "validity",
                format!("inside the time when a claimed name stood for the address, by {source}: {window}"),
            ),
            Self::Derived => {
                ("validity", format!("inside the window derived from publication by {source}: {window}"))
            }
            Self::Unclocked => {
                ("clock", "the clock of the flows is doubtful: no window was checked".to_owned())
            }
            Self::Near { days } | Self::Far { days } | Self::Expired { days } => {
                let days = super::counted(days.unsigned_abs(), "day");
                ("outside_window", format!("{days} outside the window that {source} states: {window}"))
            }
            Self::Reassigned { days } => {
                let days = super::counted(days.unsigned_abs(), "day");
                let text = format!(
                    "{days} after the window that {source} states ({window}), and passive DNS shows another \
                     name on the address by then"
                );
                ("reassigned", text)
            }
            Self::Never => ("outside_window", format!("the claim of {source} holds at no time")),
        };
        Row::new(Group::Validity, kind, self.weight(), text)
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
