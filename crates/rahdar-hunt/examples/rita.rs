//! The score of RITA v5 for contacts on standard input, to compare with (`benches/accuracy.py`).
//!
//! A line a pair: where the dataset begins and ends, then `time:octets` of each contact, in whole seconds and octets,
//! in any order. A line back each: the score, or `none` where RITA gives none.
//!
//! ```text
//! $ echo '0 86400 0:60 21600:60 43200:60 64800:60' | cargo run -p rahdar-hunt --example rita
//! 0.500
//! ```

#![expect(clippy::print_stdout, reason = "answers go to standard output")]

use std::error::Error;
use std::io;

use rahdar_hunt::rhythm::rita::Scores;

fn main() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lines() {
        match score(&line?)? {
            Some(scores) => println!("{:.3}", scores.total()),
            None => println!("none"),
        }
    }
    Ok(())
}

fn score(line: &str) -> Result<Option<Scores>, Box<dyn Error>> {
    let mut words = line.split_whitespace();
    let mut bound = || words.next().ok_or("a line without a beginning or an end");
    let (from_s, until_s) = (bound()?.parse()?, bound()?.parse()?);
    let mut contacts: Vec<(u32, f64)> = Vec::new();
    for word in words {
        let (time_s, octets) = word.split_once(':').ok_or_else(|| format!("`{word}` is no `time:octets`"))?;
        contacts.push((time_s.parse()?, octets.parse()?));
    }
    contacts.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (times_s, octets): (Vec<u32>, Vec<f64>) = contacts.into_iter().unzip();
    Ok(Scores::of(&times_s, &octets, from_s, until_s))
}
