//! Which problems of an input are named, and what is said of the others.

use std::fmt;

use rahdar_model::sink::Place;
use rahdar_model::{FlowSink, Problem};

/// Problems that are named one by one; later ones are only counted, so that a hostile input or exporter cannot flood
/// the reader of the list. Chosen here: more than anybody reads.
const NAMED_MAX: u64 = 1_000;

/// How many problems were named, and what is to be said of those that were not.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    named: u64,
    unnamed: Option<Unnamed>,
}

/// Problems that were counted only.
#[derive(Debug)]
struct Unnamed {
    /// The place of the first.
    place: Place,
    /// Records refused there and after.
    refused: u64,
    /// Problems there and after that cost no record.
    notes: u64,
}

impl Problems {
    /// Names a problem that cost `refused` records, or counts it.
    pub(crate) fn tell(
        &mut self,
        place: Place,
        text: fmt::Arguments<'_>,
        refused: u64,
        sink: &mut dyn FlowSink,
    ) {
        if self.named == NAMED_MAX {
            let unnamed = self.unnamed.get_or_insert(Unnamed { place, refused: 0, notes: 0 });
            unnamed.refused += refused;
            unnamed.notes += u64::from(refused == 0);
            return;
        }
        self.named += 1;
        sink.problem(Problem { place, text: text.to_string(), refused });
    }

    /// Says how many problems were only counted since this was last said.
    pub(crate) fn tell_unnamed(&mut self, sink: &mut dyn FlowSink) {
        let Some(Unnamed { place, refused, notes }) = self.unnamed.take() else { return };
        let text = match (refused, notes) {
            (0, _) => format!("notes are left out from here on: {notes}"),
            (_, 0) => format!("{refused} more records are refused from here on; they are not named"),
            _ => format!(
                "{refused} more records are refused from here on; they are not named; notes are left out: {notes}"
            ),
        };
        sink.problem(Problem { place, text, refused });
    }

    /// Names problems from the beginning again.
    pub(crate) fn begin(&mut self) {
        self.named = 0;
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::FlowRecord;
    use rahdar_model::fact::Fact;
    use rahdar_model::sink::SinkError;

    use super::*;

    #[derive(Default)]
    struct Heard(Vec<(String, u64)>);

    impl FlowSink for Heard {
        fn flow(&mut self, _: &FlowRecord) -> Result<(), SinkError> {
            Ok(())
        }

        fn fact(&mut self, _: Fact<'_>) -> Result<(), SinkError> {
            Ok(())
        }

        fn problem(&mut self, problem: Problem) {
            self.0.push((problem.text, problem.refused));
        }
    }

    /// What is said at the end where, beyond what is named, each problem cost so many records.
    fn said_at_the_end(costs: &[u64]) -> Option<(String, u64)> {
        let (mut problems, mut heard) = (Problems::default(), Heard::default());
        for refused in std::iter::repeat_n(&1, NAMED_MAX as usize).chain(costs) {
            problems.tell(Place::Input, format_args!("bad"), *refused, &mut heard);
        }
        problems.tell_unnamed(&mut heard);
        problems.tell_unnamed(&mut heard);
        assert!(heard.0[..NAMED_MAX as usize].iter().all(|said| *said == ("bad".to_owned(), 1)));
        assert!(heard.0.len() as u64 <= NAMED_MAX + 1);
        heard.0.into_iter().nth(NAMED_MAX as usize)
    }

    #[test]
    fn what_is_not_named_is_told_once_with_its_counts() {
        assert_eq!(said_at_the_end(&[]), None);
        let told = |text: &str, refused| Some((text.to_owned(), refused));
        assert_eq!(
            said_at_the_end(&[2, 3]),
            told("5 more records are refused from here on; they are not named", 5)
        );
        assert_eq!(said_at_the_end(&[0, 0]), told("notes are left out from here on: 2", 0));
        assert_eq!(
            said_at_the_end(&[0, 4]),
            told("4 more records are refused from here on; they are not named; notes are left out: 1", 4)
        );
    }

    #[test]
    fn problems_are_named_again_after_a_new_beginning() {
        let (mut problems, mut heard) = (Problems::default(), Heard::default());
        for _ in 0..NAMED_MAX + 1 {
            problems.tell(Place::Input, format_args!("bad"), 1, &mut heard);
        }
        problems.begin();
        problems.tell(Place::Input, format_args!("worse"), 1, &mut heard);
        assert_eq!(heard.0.len() as u64, NAMED_MAX + 1);
        assert_eq!(heard.0.last(), Some(&("worse".to_owned(), 1)));
    }
}
