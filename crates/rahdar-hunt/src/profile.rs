//! Whose network a victim is in, as of its contact (`methods.md` §8): address, longest prefix, origin AS,
//! organisation, sector, country.
//!
//! Asked is as of the day of the first believed contact, and once more as of the last: what differs then is
//! added. A prefix that moved away and came back between the two is not seen to. The operator's own table goes
//! before every public file, and what it leaves open is filled by the newest that speaks. Where the
//! network is has three answers, of which none is chosen: the first of where it operates, is registered, and
//! is geolocated is told as the victim's country, and all stand beside it. An AS is told of a victim only where one
//! alone announced the prefix.
//!
//! Assumes that the files are right about their day. Wrong where address space is leased: the registry then names
//! the holder, the routes name the user.
//!
//! ```
//! use rahdar_hunt::profile::the_only;
//! use rahdar_model::profile::{Origin, Stated};
//!
//! let origin = |asns: &[u32]| Stated {
//!     value: Origin { prefix: "203.0.113.0/24".parse().unwrap(), asns: asns.to_vec() },
//!     source: "CAIDA pfx2as, IPv4".into(),
//!     as_of: None,
//! };
//! assert_eq!(the_only(&[origin(&[64500])]), Some(64500));
//! assert_eq!(the_only(&[origin(&[64500, 64501])]), None);
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use rahdar_intel::registry::{Answer, Label, Question, Shelf, Topic, ask};
use rahdar_model::finding::{Finding, Hunt, Victim};
use rahdar_model::intelligence::Network;
use rahdar_model::profile::{Countries, Origin, Profile, Stated};
use rahdar_model::{Address, Day};

/// The source of what stands in the operator's own table.
pub const OPERATOR: &str = "the operator";

/// Adds to every victim of the hunt what the files on the shelf say of it.
///
/// # Errors
/// Those of the shelf; the hunt is as it was then.
pub fn describe<S: Shelf>(hunt: &mut Hunt, shelf: &S) -> Result<(), S::Error> {
    let findings = || hunt.findings.iter().chain(&hunt.discounted);
    let times = |finding: &Finding| [finding.first_seen, finding.last_seen].into_iter().flatten();
    let questions: Vec<Question> = findings()
        .flat_map(|finding| times(finding).map(move |at| (finding, at)))
        .map(|(finding, at)| Question {
            address: finding.victim.address,
            at: at.day(),
            asn: finding.victim.asn,
        })
        .collect();
    let mut answers = ask(shelf, &questions)?.into_iter();
    for finding in hunt.findings.iter_mut().chain(&mut hunt.discounted) {
        for answer in answers.by_ref().take(times(finding).count()) {
            add(&mut finding.victim.profile, &answer);
        }
        tell(&mut finding.victim);
    }
    Ok(())
}

/// How many believed victims were first met before the earliest routing table, and its day; none if there is no
/// table, or no such victim.
pub fn before_routes(hunt: &Hunt, labels: &[Label]) -> Option<(usize, Day)> {
    let earliest = labels.iter().filter(|label| label.tells(Topic::Origin)).map(|label| label.as_of).min()?;
    let is_early = |finding: &&Finding| finding.first_seen.is_some_and(|at| at.day() < earliest);
    let early = hunt.findings.iter().filter(is_early);
    let victims: BTreeSet<Address> = early.map(|finding| finding.victim.address).collect();
    (!victims.is_empty()).then_some((victims.len(), earliest))
}

/// What the operator's own table says of a host in this network.
pub(crate) fn by_operator(network: &Network) -> Profile {
    let says = |text: &str| Stated { value: text.to_owned(), source: Arc::from(OPERATOR), as_of: None };
    let list = |text: &str| if text.is_empty() { Vec::new() } else { vec![says(text)] };
    Profile {
        orgs: list(&network.org),
        sectors: list(&network.sector),
        countries: Countries { operating: list(&network.country), ..Countries::default() },
        role: Some(says(&network.role)).filter(|role| !role.value.is_empty()),
        ..Profile::default()
    }
}

/// Adds what is not there yet, beside what else its source says. The same said by the same source as of
/// another day is the same.
fn add(profile: &mut Profile, answer: &Answer) {
    fn each<T: PartialEq + Clone>(list: &mut Vec<Stated<T>>, said: &[Stated<T>]) {
        for said in said {
            if !list.iter().any(|known| known.source == said.source && known.value == said.value) {
                let last = list.iter().rposition(|known| known.is_of_source_of(said));
                list.insert(last.map_or(list.len(), |last| last + 1), said.clone());
            }
        }
    }
    each(&mut profile.origins, &answer.origins);
    each(&mut profile.orgs, &answer.orgs);
    each(&mut profile.sectors, &answer.sectors);
    each(&mut profile.countries.registered, &answer.countries.registered);
    each(&mut profile.countries.geolocated, &answer.countries.geolocated);
    each(&mut profile.countries.operating, &answer.countries.operating);
}

/// Tells what the operator left open.
fn tell(victim: &mut Victim) {
    let fill = |told: &mut String, said: &[Stated<String>]| {
        if let (true, Some(said)) = (told.is_empty(), said.first()) {
            told.clone_from(&said.value);
        }
    };
    let profile = &victim.profile;
    victim.asn = victim.asn.or_else(|| the_only(&profile.origins));
    fill(&mut victim.org, &profile.orgs);
    fill(&mut victim.sector, &profile.sectors);
    let Countries { operating, registered, geolocated } = &profile.countries;
    for said in [operating, registered, geolocated] {
        fill(&mut victim.country, said);
    }
}

/// The AS that the first source names, if it names one alone.
pub fn the_only(origins: &[Stated<Origin>]) -> Option<u32> {
    match origins.first()?.value.asns[..] {
        [asn] => Some(asn),
        _ => None,
    }
}
