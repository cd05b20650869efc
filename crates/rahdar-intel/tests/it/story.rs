//! What a new user does: import the folders of published lists, and ask.

use rahdar_intel::index::Snapshot;
use rahdar_model::intelligence::{ClusterId, WindowBasis};
use rahdar_model::{Address, Timestamp};

use crate::corpus::{files, folder, reading};

#[test]
fn lookups_after_importing_the_published_lists_without_options() {
    let Some(folder) = folder() else { return };
    let (mut claims, mut clusters, mut facts) = (Vec::new(), Vec::new(), Vec::new());
    for path in files(&folder.join("insikt")) {
        if let Ok(reading) = reading(&path) {
            claims.extend(reading.claims);
            clusters.extend(reading.clusters);
            facts.extend(reading.facts);
        }
    }
    let book = Snapshot::new(1, claims, clusters, facts);
    let address: Address = "206.189.153.132".parse().unwrap();
    let found: Vec<_> = book.claims_on(address).collect();
    assert_eq!(found.len(), 1);
    let claim = found[0];
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(claim.cluster, Some(ClusterId::of_name("RedFoxtrot")));
    assert_eq!(format!("{:?}", claim.validity), "[2021-05-01T00:00:00Z, 2021-07-01T00:00:00Z)");
    assert_eq!(claim.basis, WindowBasis::Heading);
    assert!(claim.validity.contains(time("2021-05-20")));
    assert!(!claim.validity.contains(time("2023-01-01")));
    assert!(claim.source.contains("RedFoxtrot"), "{}", claim.source);
    let cluster = book.cluster(claim.cluster.as_ref().unwrap()).unwrap();
    assert_eq!((cluster.name.as_str(), cluster.named), ("RedFoxtrot", false));
    assert!(cluster.tools.contains(&"PlugX".to_owned()));
}
