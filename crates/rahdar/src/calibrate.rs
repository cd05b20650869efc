//! `rahdar calibrate`: what labelled traffic teaches of the weights, written down for hunts to use.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use rahdar_hunt::calibrate::{self, Calibration, Example, Learned, Proof, Scores};
use rahdar_intel::book::{Book, ImportedFile};
use rahdar_intel::reading::ReadOptions;
use rahdar_intel::sheet::{self, Label};
use rahdar_model::intelligence::ClusterId;
use rahdar_model::store::{Cell, Table};
use rahdar_model::{Clock, FlowStore, Prefix};
use rahdar_scenario::truth::Truth;
use serde::{Deserialize, Serialize};

use crate::clock::{self, SystemClock};
use crate::command::{Calibrate, Format};
use crate::home::Home;
use crate::{Outcome, note, output};

/// The file in the home that hunts use unless they are told otherwise.
const FILE: &str = "calibration.json";
/// The form of the file. Raised where an older release could not read it right.
const VERSION: u32 = 1;
/// Octets of a calibration at most; chosen here: there are some fifty states.
const FILE_OCTETS: u64 = 1 << 20;

/// A calibration as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    /// When it was made.
    made: String,
    /// The version of the table that was learned from.
    table_version: u64,
    /// Examples: those that taught weights, those that taught how far to trust them, those held out.
    examples: [usize; 3],
    /// How far the examples held out support it. Older files do not say.
    #[serde(default)]
    proof: Option<Support>,
    alpha: f64,
    beta: f64,
    /// The share of command traffic among those that taught how far to trust the weights. Older files do not say.
    #[serde(default)]
    share: Option<f64>,
    weights: Vec<Weight>,
    /// On the examples held out.
    held_out: Quality,
    /// The default weights on the same examples.
    defaults: Quality,
}

/// How it did on the examples held out.
#[derive(Serialize, Deserialize)]
struct Support {
    /// Examples of command traffic, and others.
    tried: [usize; 2],
    /// Of these, those on the wrong side of one half.
    wrong: [usize; 2],
    /// By how much the log-loss is below the default's, in nats, at the mean, and its standard error.
    gain: f64,
    gain_error: f64,
}

#[derive(Serialize, Deserialize)]
struct Weight {
    group: String,
    default: f64,
    weight: f64,
    real: u64,
    other: u64,
}

#[derive(Serialize, Deserialize)]
struct Quality {
    brier: f64,
    log_loss: f64,
    ece: f64,
}

impl From<Scores> for Quality {
    fn from(scores: Scores) -> Self {
        let Scores { brier, log_loss, ece } = scores;
        Self { brier, log_loss, ece }
    }
}

/// Learns from what is labelled, writes the calibration, and prints how good it is.
pub(crate) fn run(home: &Home, args: &Calibrate, format: Format) -> anyhow::Result<Outcome> {
    let database = home.database()?;
    let lake = home.lake()?.pinned()?;
    let window = clock::window(&args.period)?;
    let examples = rahdar_hunt::examples(&lake, &database.snapshot()?, &database.networks()?, window)?;
    let mut labels: Vec<Option<bool>> = vec![None; examples.len()];
    let mut refused = 0;
    for path in &args.truth {
        refused += label(&examples, &mut labels, path)?;
    }
    let labelled: Vec<(Example, bool)> =
        examples.into_iter().zip(labels).filter_map(|(example, label)| Some((example, label?))).collect();
    let learned = calibrate::learn("", &labelled)?;
    let written = written(&learned, lake.version()?);
    let path = args.output.clone().unwrap_or_else(|| home.path().join(FILE));
    let text = serde_json::to_string_pretty(&written)? + "\n";
    std::fs::write(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))?;
    output::print(&table(&learned), format)?;
    note!("calibration {}: {}", name(text.as_bytes()), path.display());
    if learned.proof.most().is_none() {
        note!(
            "no confidence rises above 95 by it: that takes a log-loss clearly below the default's, and more than 60 \
             held-out examples of either kind, all judged right (99: 299 of either kind)"
        );
    }
    Ok(if refused > 0 { Outcome::Refused } else { Outcome::Done })
}

/// Labels examples by one file: the truth of a scenario, or a table of labels. Returns how many lines
/// were refused.
fn label(examples: &[Example], labels: &mut [Option<bool>], path: &Path) -> anyhow::Result<usize> {
    let shown = path.display().to_string();
    let content = std::fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
    if content.trim_ascii_start().starts_with(b"{") {
        let truth = Truth::read(path).with_context(|| shown.clone())?;
        for (example, label) in examples.iter().zip(labels) {
            *label = Some(is_real(&truth, example));
        }
        return Ok(0);
    }
    let sheet = sheet::labels(&content).with_context(|| shown.clone())?;
    for refusal in &sheet.refused {
        note!("{shown}: refused: {refusal}");
    }
    let mut known: BTreeMap<_, Vec<&Label>> = BTreeMap::new();
    for label in &sheet.rows {
        known.entry(label.victim).or_default().push(label);
    }
    for (example, label) in examples.iter().zip(labels) {
        let own = known.get(&example.victim).into_iter().flatten();
        // Of several, the narrowest network speaks.
        let own =
            own.filter(|one| one.indicator.contains(example.remote)).max_by_key(|one| one.indicator.bits());
        *label = own.map(|one| one.is_real).or(*label);
    }
    Ok(sheet.refused.len())
}

/// Whether the scenario put the cluster on the victim, by an address that is none of its decoys.
fn is_real(truth: &Truth, example: &Example) -> bool {
    let is_decoy = truth
        .decoys
        .iter()
        .filter_map(|decoy| decoy.indicator.as_deref())
        .any(|indicator| indicator.parse::<Prefix>().is_ok_and(|prefix| prefix.contains(example.remote)));
    !is_decoy
        && truth
            .pairs
            .iter()
            .any(|pair| pair.victim == example.victim && ClusterId::of_name(&pair.cluster) == example.cluster)
}

fn written(learned: &Calibration, table_version: u64) -> Written {
    let weight = |learned: &Learned| Weight {
        group: learned.group.word().to_owned(),
        default: learned.default,
        weight: learned.weight,
        real: learned.real,
        other: learned.other,
    };
    let Proof { tried, wrong, gain, gain_error } = learned.proof;
    Written {
        version: VERSION,
        made: SystemClock.now().to_string(),
        table_version,
        examples: learned.examples,
        proof: Some(Support { tried, wrong, gain, gain_error }),
        alpha: learned.alpha,
        beta: learned.beta,
        share: learned.share,
        weights: learned.states.iter().map(weight).collect(),
        held_out: learned.held_out.into(),
        defaults: learned.defaults.into(),
    }
}

/// How good the calibration is beside the defaults.
fn table(learned: &Calibration) -> Table {
    let columns = ["weights", "examples", "brier", "log_loss", "ece"];
    let row = |name: &str, scores: Scores| {
        vec![
            Cell::Text(name.to_owned()),
            Cell::Int(learned.examples[2].try_into().unwrap_or(i64::MAX)),
            Cell::Float(thousandths(scores.brier)),
            Cell::Float(thousandths(scores.log_loss)),
            Cell::Float(thousandths(scores.ece)),
        ]
    };
    Table {
        columns: columns.map(str::to_owned).to_vec(),
        rows: vec![row("learned", learned.held_out), row("default", learned.defaults)],
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// What hunts call a calibration: the first digits of its content's hash.
fn name(content: &[u8]) -> String {
    let file = ImportedFile::new("", content, &ReadOptions::default(), SystemClock.now());
    file.content.chars().take(12).collect()
}

/// The calibration that a hunt uses: the file given, else the home's, else none.
pub(crate) fn of(home: &Home, given: Option<&Path>) -> anyhow::Result<Option<Calibration>> {
    let own = home.path().join(FILE);
    let path = match given {
        Some(path) => path,
        None if own.try_exists().with_context(|| format!("`{}`", own.display()))? => &own,
        None => return Ok(None),
    };
    read(path).with_context(|| format!("`{}` is no calibration", path.display())).map(Some)
}

fn read(path: &Path) -> anyhow::Result<Calibration> {
    ensure!(std::fs::metadata(path)?.len() <= FILE_OCTETS, "it is larger than {} KiB", FILE_OCTETS >> 10);
    let content = std::fs::read(path)?;
    let Written { version, examples, proof, alpha, beta, share, weights, held_out, defaults, .. } =
        serde_json::from_slice(&content)?;
    ensure!(version == VERSION, "it is of version {version}, and this release reads {VERSION}");
    ensure!(
        alpha.is_finite() && beta.is_finite() && beta >= 0.0,
        "alpha and beta must be finite, and beta must not be negative"
    );
    ensure!(share.is_none_or(|share| 0.0 < share && share < 1.0), "the share must lie between 0 and 1");
    let learned = |one: &Weight| {
        let Some((group, _)) = calibrate::groups().find(|(_, word)| *word == one.group) else {
            bail!("`{}` is no group of evidence", one.group);
        };
        ensure!(
            one.default.is_finite() && one.weight.is_finite(),
            "a weight of `{}` is no number",
            one.group
        );
        Ok(Learned { group, default: one.default, weight: one.weight, real: one.real, other: one.other })
    };
    let states = weights.iter().map(learned).collect::<anyhow::Result<Vec<_>>>()?;
    let scores = |Quality { brier, log_loss, ece }| Scores { brier, log_loss, ece };
    let (held_out, defaults) = (scores(held_out), scores(defaults));
    let proof = proof.map_or_else(Proof::default, |Support { tried, wrong, gain, gain_error }| Proof {
        tried,
        wrong,
        gain,
        gain_error,
    });
    Ok(Calibration { name: name(&content), states, alpha, beta, share, examples, proof, held_out, defaults })
}
