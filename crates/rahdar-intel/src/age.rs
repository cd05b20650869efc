//! How old an indicator is: how much it deserves attention now, by MISP's decaying score.
//!
//! score(t) = base · (1 − (t / τ)^(1/δ)), nothing from t = τ on (Mokaddem, Wagener, Dulaunoy, Iklody:
//! Taxonomy driven indicator scoring in MISP, 2018; parameters of MISP's own models).
//! t is the time since somebody last confirmed the claim: the end of its window, its publication,
//! or a sighting, whichever is latest. A false positive halves the base (chosen here: MISP leaves
//! it to the server); an expiration ends it, until it is seen again.
//!
//! [`priority`] orders what a person looks at first. It never decides what was hostile when.
//! A hunt looks back, and asks [`quality`] instead: what was left of the claim when the flow was
//! seen. That falls on both sides of the window (`methods.md` §7.4): over τ = 120 days after it, and
//! over [`LIFE_BEFORE_US`] before it, because a server is seldom seen on its first day. A sighting
//! near the flow counts like the window, an expiration ends it, and a false positive, whenever it was
//! reported, halves it. What nobody graded counts in full there: the base of 80 is MISP's for order.
//!
//! Wrong for infrastructure that lives much shorter or longer than the model: servers of Winnti
//! lived 165 days at the median (`field.md` §3).
//!
//! ```
//! use rahdar_intel::age::Model;
//! use rahdar_model::time::DAY_US;
//!
//! assert_eq!(Model::NETWORK.score(80.0, 30 * DAY_US), 40.0);
//! ```

use std::sync::Arc;

use rahdar_model::Timestamp;
use rahdar_model::intelligence::{Claim, Indicator};
use rahdar_model::time::DAY_US;

/// How a kind of indicator ages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// τ: the time after which nothing is left, in microseconds.
    pub life_us: i64,
    /// δ: above 1 it falls early, below 1 late.
    pub decay: f64,
    /// Below this score it has expired.
    pub threshold: f64,
}

/// The score of what nobody has graded (MISP's network model).
pub(crate) const BASE: f64 = 80.0;

impl Model {
    /// Addresses and names of networks (MISP, NIDS simple decaying model).
    pub const NETWORK: Self = Self { life_us: 120 * DAY_US, decay: 2.0, threshold: 30.0 };

    /// URLs, which phishing leaves within days (MISP, phishing model).
    pub(crate) const PHISHING: Self = Self { life_us: 3 * DAY_US, decay: 2.3, threshold: 30.0 };

    /// What is left of `base` after so long; all of it before.
    pub fn score(&self, base: f64, age_us: i64) -> f64 {
        let part = (age_us.max(0) as f64 / self.life_us as f64).powf(1.0 / self.decay);
        (base * (1.0 - part)).max(0.0)
    }
}

/// What somebody reported of an indicator that was known already.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report {
    /// Of what.
    pub indicator: Indicator,
    /// What.
    pub kind: ReportKind,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub source: Arc<str>,
}

/// The kinds of reports, as MISP numbers its sightings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportKind {
    /// 0: it was seen.
    Sighting,
    /// 1: it was met and was harmless.
    FalsePositive,
    /// 2: it is over.
    Expiration,
}

impl ReportKind {
    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sighting => "sighting",
            Self::FalsePositive => "false positive",
            Self::Expiration => "expiration",
        }
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Sighting, Self::FalsePositive, Self::Expiration].into_iter().find(|kind| kind.word() == word)
    }
}

/// How urgent a claim is now, 0–100; none where nobody dated it. `reports` are those about its
/// indicator; later ones than `now` do not count.
pub fn priority<'a>(
    claim: &Claim,
    reports: impl IntoIterator<Item = &'a Report>,
    now: Timestamp,
) -> Option<f64> {
    let reports: Vec<&Report> = reports.into_iter().filter(|report| report.at <= now).collect();
    let latest =
        |kind: ReportKind| reports.iter().filter(|report| report.kind == kind).map(|report| report.at).max();
    let window = claim.validity;
    // A window that is open confirms the claim up to now; one without an end, at its start.
    let held = if window.until == Timestamp::MAX { window.from } else { window.until.min(now) };
    let confirmed =
        [Some(held).filter(|_| window.from <= now), claim.published, latest(ReportKind::Sighting)];
    let is_known = |at: &Timestamp| *at != Timestamp::MIN && *at <= now;
    let last = confirmed.into_iter().flatten().filter(is_known).max()?;
    if latest(ReportKind::Expiration).is_some_and(|over| over >= last) {
        return Some(0.0);
    }
    let denied = reports.iter().filter(|report| report.kind == ReportKind::FalsePositive).count();
    let base = claim.confidence.map_or(BASE, f64::from) * 0.5_f64.powi(denied.try_into().unwrap_or(i32::MAX));
    let model = match claim.indicator {
        Indicator::Url(_) => Model::PHISHING,
        _ => Model::NETWORK,
    };
    Some(model.score(base, now.since(last)))
}

/// How long before its window an indicator may have lived (`methods.md` §7.4, τ_b).
pub const LIFE_BEFORE_US: i64 = 30 * DAY_US;

/// What was left of a claim at contact from `start` to `end`, 0–1. `reports` are those about its
/// indicator.
///
/// ```
/// use rahdar_intel::age::quality;
/// use rahdar_model::{Day, Window};
/// # use rahdar_model::intelligence::{Claim, Indicator, WindowBasis};
/// # let claim = Claim {
/// #     indicator: Indicator::Domain("c2.example.org".to_owned()),
/// #     port: None, protocol: None,
/// #     validity: Window::new(Day(0).start(), Day(100).start()),
/// #     basis: WindowBasis::Stated, cluster: None, tools: Vec::new(), source: "a report".into(),
/// #     place: String::new(), published: None, confidence: None, tlp: None, revoked: false,
/// # };
/// let on = |day: i32| quality(&claim, [], Day(day).start(), Day(day).start());
/// assert_eq!([50, 130, 220].map(on), [1.0, 0.5, 0.0]);
/// ```
pub fn quality<'a>(
    claim: &Claim,
    reports: impl IntoIterator<Item = &'a Report>,
    start: Timestamp,
    end: Timestamp,
) -> f64 {
    let reports: Vec<&Report> = reports.into_iter().collect();
    let of = |kind: ReportKind| reports.iter().filter(move |report| report.kind == kind);
    let denied = of(ReportKind::FalsePositive).count();
    let base = claim.confidence.map_or(1.0, |percent| f64::from(percent) / 100.0)
        * 0.5_f64.powi(denied.try_into().unwrap_or(i32::MAX));
    let seen_before = of(ReportKind::Sighting).map(|report| report.at).filter(|at| *at <= end).max();
    let over = of(ReportKind::Expiration).map(|report| report.at).filter(|at| *at <= start).max();
    if over.is_some_and(|over| seen_before.is_none_or(|seen| seen <= over)) {
        return 0.0;
    }
    let left = |from: Timestamp, until: Timestamp| {
        if end < from {
            Model { life_us: LIFE_BEFORE_US, ..Model::NETWORK }.score(1.0, from.since(end))
        } else {
            Model::NETWORK.score(1.0, start.since(until))
        }
    };
    let sighted = of(ReportKind::Sighting).map(|report| left(report.at, report.at));
    base * sighted.fold(left(claim.validity.from, claim.validity.until), f64::max)
}

#[cfg(test)]
mod tests {
    use rahdar_model::intelligence::WindowBasis;
    use rahdar_model::{Day, Window};

    use super::*;

    #[test]
    fn the_score_has_the_known_answers() {
        let known =
            [(1.0, 72.697), (7.0, 60.678), (10.0, 56.906), (30.0, 40.0), (46.875, 30.0), (120.0, 0.0)];
        for (days, score) in known {
            let age_us = (days * DAY_US as f64) as i64;
            assert!((Model::NETWORK.score(BASE, age_us) - score).abs() < 5e-4, "{days} days");
        }
        assert_eq!(Model::NETWORK.score(BASE, 121 * DAY_US), 0.0);
        assert_eq!(Model::PHISHING.score(BASE, 3 * DAY_US), 0.0);
        assert_eq!(Model::NETWORK.score(BASE, -DAY_US), BASE);
    }

    fn claim() -> Claim {
        Claim {
            indicator: Indicator::Domain("c2.example.org".to_owned()),
            port: None,
            protocol: None,
            validity: Window::new(Day(0).start(), Day(100).start()),
            basis: WindowBasis::Stated,
            cluster: None,
            tools: Vec::new(),
            source: "a report".into(),
            place: "line 1".to_owned(),
            published: None,
            confidence: None,
            tlp: None,
            revoked: false,
        }
    }

    fn check(claim: &Claim, reports: &[(ReportKind, i32)], day: i32, score: Option<f64>) {
        let report = |(kind, day): &(ReportKind, i32)| Report {
            indicator: claim.indicator.clone(),
            kind: *kind,
            at: Day(*day).start(),
            source: "another".into(),
        };
        let reports: Vec<Report> = reports.iter().map(report).collect();
        assert_eq!(priority(claim, &reports, Day(day).start()), score, "{reports:?} on day {day}");
    }

    #[test]
    fn age_counts_from_the_last_confirmation() {
        check(&claim(), &[], 50, Some(80.0));
        check(&claim(), &[], 130, Some(40.0));
        let open = Claim { validity: Window::new(Day(0).start(), Timestamp::MAX), ..claim() };
        check(&open, &[], 30, Some(40.0));
        let undated = Claim { validity: Window::ALL, ..claim() };
        check(&undated, &[], 30, None);
        check(&Claim { published: Some(Day(0).start()), ..undated }, &[], 30, Some(40.0));
    }

    #[test]
    fn reports_move_the_score() {
        use ReportKind::{Expiration, FalsePositive, Sighting};
        check(&claim(), &[(Sighting, 130)], 130, Some(80.0));
        check(&claim(), &[(Sighting, 131)], 130, Some(40.0));
        check(&claim(), &[(FalsePositive, 110)], 130, Some(20.0));
        check(&claim(), &[(FalsePositive, 110), (FalsePositive, 111)], 130, Some(10.0));
        check(&claim(), &[(Expiration, 110)], 130, Some(0.0));
        check(&claim(), &[(Expiration, 110), (Sighting, 120)], 150, Some(40.0));
        check(&Claim { confidence: Some(50), ..claim() }, &[], 130, Some(25.0));
    }

    fn check_quality(claim: &Claim, reports: &[(ReportKind, i32)], day: i32, expected: f64) {
        let report = |(kind, day): &(ReportKind, i32)| Report {
            indicator: claim.indicator.clone(),
            kind: *kind,
            at: Day(*day).start(),
            source: "another".into(),
        };
        let reports: Vec<Report> = reports.iter().map(report).collect();
        let got = quality(claim, &reports, Day(day).start(), Day(day).start());
        assert!((got - expected).abs() < 1e-9, "{got} is not {expected}: {reports:?} on day {day}");
    }

    #[test]
    fn looking_back_a_claim_decays_on_both_sides_of_its_window() {
        let late = Claim { validity: Window::new(Day(200).start(), Day(300).start()), ..claim() };
        check_quality(&late, &[], 250, 1.0);
        check_quality(&late, &[], 330, 0.5);
        check_quality(&late, &[], 420, 0.0);
        check_quality(&late, &[], 200 - 30, 0.0);
        check_quality(&late, &[], 192, 1.0 - (8.0_f64 / 30.0).sqrt());
        check_quality(&Claim { confidence: Some(40), ..late.clone() }, &[], 250, 0.4);
        check_quality(&Claim { validity: Window::ALL, ..late }, &[], 0, 1.0);
    }

    #[test]
    fn looking_back_reports_count_where_they_belong() {
        use ReportKind::{Expiration, FalsePositive, Sighting};
        check_quality(&claim(), &[(Sighting, 190)], 220, 0.5);
        check_quality(&claim(), &[(FalsePositive, 900)], 50, 0.5);
        check_quality(&claim(), &[(Expiration, 40)], 50, 0.0);
        check_quality(&claim(), &[(Expiration, 60)], 50, 1.0);
        check_quality(&claim(), &[(Expiration, 40), (Sighting, 45)], 50, 1.0);
    }
}
