//! `threats.txt`: how WebSocket libraries have been broken, and what shows that this one is not.

use std::collections::BTreeSet;

use crate::table::{Shown, rows};

struct Threat {
    id: String,
    shown: Shown,
}

fn threats() -> Vec<Threat> {
    let threat =
        |[id, _flaw, _promise, shown]: [&str; 4]| Ok(Threat { id: id.into(), shown: Shown::parse(shown)? });
    rows(&crate::read("tests/matrix/threats.txt"), threat).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_threat_has_one_row() {
    let mut ids = BTreeSet::new();
    for threat in threats() {
        let number = threat.id.trim_start_matches(['R', 'S']);
        assert!(
            threat.id.len() <= number.len() + 1 && number.parse::<u32>().is_ok(),
            "{} is no id",
            threat.id
        );
        assert!(ids.insert(threat.id.clone()), "threat {} stands twice", threat.id);
    }
    let missing: Vec<_> = (1..=75).filter(|number| !ids.contains(&number.to_string())).collect();
    assert!(missing.is_empty(), "threats without a row: {missing:?}");
    for series in ["R", "S"] {
        assert!(ids.contains(&format!("{series}1")), "there are no threats of the series {series}");
    }
}

#[test]
fn every_test_that_a_threat_names_exists() {
    let threats = threats();
    crate::assert_exist(threats.iter().map(|threat| (format!("threat {}", threat.id), &threat.shown)));
}

/// Dependencies of which older versions have a published flaw that matters here: RUSTSEC-2026-0007 and RUSTSEC-2025-0023.
const MINIMUMS: [(&str, [u32; 3]); 2] = [("bytes", [1, 11, 1]), ("tokio", [1, 44, 2])];

#[test]
fn no_minimum_of_the_manifest_has_a_known_flaw() {
    let manifest = crate::read("Cargo.toml");
    for (name, minimum) in MINIMUMS {
        let start = format!("{name} = {{ version = \"");
        let versions: Vec<_> = manifest.lines().filter_map(|line| line.strip_prefix(&start)).collect();
        assert!(!versions.is_empty(), "{name} is a dependency");
        for version in versions {
            let version = version.split('"').next().unwrap_or_default();
            let numbers: Vec<u32> =
                version.split('.').map(|number| number.parse().expect("a number")).collect();
            assert!(numbers[..] >= minimum[..], "{name} {version} is below {minimum:?}");
        }
    }
}
