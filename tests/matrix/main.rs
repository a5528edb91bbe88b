//! What is promised, and the tests that show it: the requirements of the RFCs, the threats, and the tables of SECURITY.md. Each test that a
//! table names must be there and must run.
//!
//! `docs/conformance.md` is generated from `requirements.txt`. To generate it again:
//!
//! ```sh
//! TIDEWIRE_BLESS=1 cargo test --features blocking,tokio --test matrix
//! ```

mod names;
mod page;
mod source;
mod table;
mod threats;

use std::fs;
use std::path::PathBuf;

use names::Names;
use table::{Requirement, Shown};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn requirements() -> Vec<Requirement> {
    table::requirements(&read("tests/matrix/requirements.txt")).unwrap_or_else(|error| panic!("{error}"))
}

/// Asserts that each test exists that a row names.
#[track_caller]
fn assert_exist<'s>(rows: impl Iterator<Item = (String, &'s Shown)>) {
    let names = Names::of_project(&root());
    let mut missing = Vec::new();
    for (row, shown) in rows {
        let of_row = shown.tests().iter().filter(|name| !names.contains(name));
        missing.extend(of_row.map(|name| format!("{row}: no test is called {name}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_requirement_has_one_row() {
    let numbers: Vec<_> = requirements().iter().map(|requirement| requirement.number).collect();
    assert_eq!(numbers, (1..=314).collect::<Vec<_>>());
}

#[test]
fn every_test_that_a_requirement_names_exists() {
    let requirements = requirements();
    assert_exist(requirements.iter().map(|row| (format!("requirement {}", row.number), &row.shown)));
}

#[test]
fn every_promise_of_security_md_is_shown_by_what_exists() {
    let names = Names::of_project(&root());
    let promises = table::promises(&read("SECURITY.md"));
    let numbers: Vec<_> = promises.iter().map(|(number, _)| *number).collect();
    assert!(!numbers.is_empty(), "SECURITY.md has a table");
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    for (number, shown_by) in promises {
        assert!(!shown_by.is_empty(), "promise {number} is shown by nothing");
        for name in shown_by {
            let is_path = name.contains('/');
            let exists = if is_path { root().join(&name).exists() } else { names.contains(&name) };
            assert!(exists, "promise {number}: there is no {name}");
        }
    }
}

#[test]
fn the_page_is_made_of_the_requirements() {
    let page = page::conformance(&requirements(), &Names::of_project(&root()));
    if std::env::var_os("TIDEWIRE_BLESS").is_some() {
        fs::write(root().join("docs/conformance.md"), &page).expect("docs/ can be written");
    }
    assert!(read("docs/conformance.md") == page, "make docs/conformance.md anew: see tests/matrix/main.rs");
}
