//! Questions of an address on a day.

use std::cmp::Reverse;

use rahdar_model::profile::{Countries, Origin, Stated};
use rahdar_model::{Address, Day};

use crate::registry::packed::Label;
use crate::registry::{Dump, Table, Topic};

/// Where dumps are kept. They are large: one is taken at a time.
pub trait Shelf {
    /// Why a dump could not be taken.
    type Error;

    /// What is kept, in the order of source and day.
    fn labels(&self) -> &[Label];

    /// The dump of the label at this place.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn take(&self, place: usize) -> Result<Dump, Self::Error>;
}

/// What was known of an address on a day?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The address.
    pub address: Address,
    /// The day.
    pub at: Day,
    /// The AS that the operator says it is of: asked of beside those that announced it.
    pub asn: Option<u32>,
}

/// All that was known, one statement of each source and topic: the newest first, of one day in the order of
/// sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Which prefix held it, and who announced that.
    pub origins: Vec<Stated<Origin>>,
    /// Whose those AS are.
    pub orgs: Vec<Stated<String>>,
    /// Of which sector.
    pub sectors: Vec<Stated<String>>,
    /// In which country.
    pub countries: Countries,
}

/// Answers the questions, each by the latest dump of each source that is not after its day. A source without
/// such a dump says nothing.
///
/// # Errors
/// Those of the shelf.
pub fn ask<S: Shelf>(shelf: &S, questions: &[Question]) -> Result<Vec<Answer>, S::Error> {
    let mut answers = vec![Answer::default(); questions.len()];
    // Those by AS come second: they need the answers of those by prefix.
    for by_prefix in [true, false] {
        let labels = shelf.labels();
        for (place, label) in labels.iter().enumerate() {
            if !label.topics.iter().any(|(topic, _)| topic.is_by_prefix() == by_prefix) {
                continue;
            }
            let next = labels.get(place + 1).filter(|next| next.source == label.source);
            let speaks = |at: Day| label.as_of <= at && next.is_none_or(|next| at < next.as_of);
            if !questions.iter().any(|question| speaks(question.at)) {
                continue;
            }
            let dump = shelf.take(place)?;
            let asked = questions.iter().zip(&mut answers).filter(|(question, _)| speaks(question.at));
            for (question, answer) in asked {
                answer.add(&dump, question, by_prefix);
            }
        }
    }
    answers.iter_mut().for_each(Answer::sort);
    Ok(answers)
}

impl Answer {
    fn add(&mut self, dump: &Dump, question: &Question, by_prefix: bool) {
        for part in dump.parts.iter().filter(|part| part.topic.is_by_prefix() == by_prefix) {
            match &part.table {
                Table::Prefixes(table) => {
                    let Some((prefix, text)) = table.longest(question.address) else { continue };
                    if part.topic == Topic::Origin {
                        let asns = text.split(' ').filter_map(|asn| asn.parse().ok()).collect();
                        self.origins.push(stated(dump, Origin { prefix, asns }));
                    } else {
                        self.note(part.topic, stated(dump, text.to_owned()));
                    }
                }
                Table::Numbers(table) => {
                    for text in self.asns(question).into_iter().filter_map(|asn| table.get(asn)) {
                        self.note(part.topic, stated(dump, text.to_owned()));
                    }
                }
            }
        }
    }

    /// Every AS that may hold the address, the operator's first.
    fn asns(&self, question: &Question) -> Vec<u32> {
        let announced = self.origins.iter().flat_map(|origin| origin.value.asns.iter().copied());
        let mut asns = Vec::new();
        for asn in question.asn.into_iter().chain(announced) {
            if !asns.contains(&asn) {
                asns.push(asn);
            }
        }
        asns
    }

    /// What was said last comes first; of the same day, in the order of sources.
    fn sort(&mut self) {
        fn newest<T>(said: &Stated<T>) -> Reverse<Option<Day>> {
            Reverse(said.as_of)
        }
        self.origins.sort_by_key(newest);
        let Countries { registered, geolocated, operating } = &mut self.countries;
        for list in [&mut self.orgs, &mut self.sectors, registered, geolocated, operating] {
            list.sort_by_key(newest);
        }
    }

    fn note(&mut self, topic: Topic, said: Stated<String>) {
        let list = match topic {
            Topic::Origin => return,
            Topic::Registered | Topic::Seat => &mut self.countries.registered,
            Topic::Geolocated => &mut self.countries.geolocated,
            Topic::Operating => &mut self.countries.operating,
            Topic::Organisation => &mut self.orgs,
            Topic::Sector => &mut self.sectors,
        };
        if !list.contains(&said) {
            list.push(said);
        }
    }
}

fn stated<T>(dump: &Dump, value: T) -> Stated<T> {
    Stated { value, source: dump.source.as_str().into(), as_of: Some(dump.as_of) }
}
