//! What tags and galaxies say: whose it is, which malware, how far it may travel, how sure.

use rahdar_model::intelligence::Tlp;

use super::event::Part;
use crate::draft::tidy_name;

/// What is said of an event or an attribute.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// Groups, each once, in the order of the event.
    pub(super) groups: Vec<String>,
    pub(super) tools: Vec<String>,
    pub(super) tlp: Option<Tlp>,
    pub(super) confidence: Option<u8>,
}

/// Groups above which an event is a survey and says of no address whose it is; chosen here.
const GROUPS_MAX: usize = 8;

impl About {
    /// What the tags and galaxies of this part say.
    pub(super) fn of(part: Part<'_>) -> Self {
        let mut about = Self::default();
        for tag in part.parts("Tag") {
            if let Some(name) = tag.text("name") {
                about.tag(&name);
            }
        }
        for galaxy in part.parts("Galaxy") {
            let kind = galaxy.text("type").unwrap_or_default();
            for cluster in galaxy.parts("GalaxyCluster") {
                if let Some(value) = cluster.text("value") {
                    about.galaxy(&kind, &value);
                }
            }
        }
        about
    }

    /// What is said of a part inside another: its own groups if it has any, the stricter marking.
    pub(super) fn within(mut self, outer: &Self) -> Self {
        if self.groups.is_empty() {
            self.groups.clone_from(&outer.groups);
        }
        self.tools.extend(outer.tools.iter().cloned());
        self.tlp = self.tlp.max(outer.tlp);
        self.confidence = self.confidence.or(outer.confidence);
        self
    }

    /// The groups that a claim may name.
    pub(super) fn named(&self) -> &[String] {
        if self.groups.len() > GROUPS_MAX { &[] } else { &self.groups }
    }

    /// A machine tag, `namespace:predicate="value"`, or a word such as `tlp:amber`.
    fn tag(&mut self, name: &str) {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("tlp:") {
            self.tlp = self.tlp.max(Tlp::from_word(&lower));
        }
        let Some((head, value)) = name.split_once('=') else { return };
        let value = value.trim_matches('"');
        if let Some(kind) = head.strip_prefix("misp-galaxy:") {
            self.galaxy(kind, value);
        } else if head == "misp:confidence-level" {
            self.confidence = confidence(value).or(self.confidence);
        }
    }

    fn galaxy(&mut self, kind: &str, value: &str) {
        let list = match Galaxy::of_kind(kind) {
            Galaxy::Groups => &mut self.groups,
            Galaxy::Tools => &mut self.tools,
            Galaxy::Other => return,
        };
        let name = without_id(value);
        if !name.is_empty() && !list.contains(&name) {
            list.push(name);
        }
    }
}

/// What the clusters of a galaxy are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Galaxy {
    Groups,
    Tools,
    Other,
}

impl Galaxy {
    /// By its kind (misp-galaxy, `type`): `threat-actor`, `mitre-intrusion-set`, `rat`, …
    pub(super) fn of_kind(kind: &str) -> Self {
        const GROUPS: [&str; 4] = ["threat-actor", "intrusion-set", "activity-group", "threat-group"];
        const TOOLS: [&str; 10] = [
            "malware",
            "malpedia",
            "tool",
            "rat",
            "backdoor",
            "botnet",
            "banker",
            "ransomware",
            "stealer",
            "cryptominers",
        ];
        // `exploit-kit` and `attack-pattern` are no malware of an address.
        if GROUPS.iter().any(|word| kind.contains(word)) {
            Self::Groups
        } else if kind.split('-').any(|part| TOOLS.contains(&part)) {
            Self::Tools
        } else {
            Self::Other
        }
    }
}

/// A name without the ATT&CK id behind it: `APT28 - G0007`.
pub(super) fn without_id(value: &str) -> String {
    let is_id = |id: &str| {
        let digits = id.strip_prefix(['G', 'S']).unwrap_or_default();
        digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let name = value.rsplit_once(" - ").filter(|(_, id)| is_id(id)).map_or(value, |(name, _)| name);
    tidy_name(name)
}

/// MISP's taxonomy `misp:confidence-level`, by its numerical values.
fn confidence(word: &str) -> Option<u8> {
    match word {
        "completely-confident" => Some(100),
        "usually-confident" => Some(75),
        "fairly-confident" => Some(50),
        "rarely-confident" => Some(25),
        "unconfident" => Some(0),
        _ => None,
    }
}
