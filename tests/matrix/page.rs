//! `docs/conformance.md`, for those who want to know which rules of the RFCs are kept, and how that is known.

use core::fmt::Write as _;

use crate::names::Names;
use crate::table::{Requirement, Shown};

/// The RFC, the first number of its sections if not all of them are meant, and what these are about.
const CHAPTERS: [(u32, &str, &str); 14] = [
    (6455, "3", "URIs"),
    (6455, "4", "The opening handshake"),
    (6455, "5", "Frames"),
    (6455, "6", "Sending and receiving"),
    (6455, "7", "Closing"),
    (6455, "8", "Errors in the data"),
    (6455, "9", "Extensions"),
    (6455, "10", "Security"),
    (6455, "11", "Registered names"),
    (7692, "", "Compression"),
    (8441, "", "HTTP/2"),
    (9220, "", "HTTP/3"),
    (9110, "", "HTTP, whatever its version"),
    (9112, "", "HTTP/1.1"),
];

pub(crate) fn conformance(requirements: &[Requirement], names: &Names) -> String {
    let count = |level: &str, is_shown: bool| {
        let is_counted = |requirement: &&Requirement| {
            requirement.level == level && matches!(requirement.shown, Shown::By(_)) == is_shown
        };
        requirements.iter().filter(is_counted).count()
    };
    let levels = ["MUST", "SHOULD", "MAY"].map(|level| (level, count(level, true), count(level, false)));
    let shown: usize = levels.iter().map(|(_, shown, _)| shown).sum();
    let all = requirements.len();
    let mut page = format!(
        "# Conformance\n\n\
         The RFCs make {all} requirements of a WebSocket library. Tests show {shown} of them. The other {} are left, each with the reason: they are\n\
         the application's, or belong to what is still to come. RFC 6455 makes most of them. The others come from the RFCs on compression and HTTP.\n\n\
         Most tests run for both roles, and under every way to cut the bytes into reads.\n\n\
         *This page is generated from `tests/matrix/requirements.txt` by `TIDEWIRE_BLESS=1 cargo test --features blocking,tokio --test matrix`. Change that file,\n\
         and not this page. A test fails when the two differ, and when a test that is named here does not exist.*\n\n\
         | level | shown by tests | left, with the reason |\n|---|--:|--:|\n",
        all - shown
    );
    for (level, shown, left) in levels {
        line(&mut page, format_args!("| {level} | {shown} | {left} |"));
    }
    let mut written = 0;
    for (rfc, chapter, title) in CHAPTERS {
        let space = if chapter.is_empty() { "" } else { " " };
        line(&mut page, format_args!("\n## RFC {rfc}{space}{chapter}: {title}\n"));
        line(&mut page, format_args!("| # | section | requirement | level | who | shown by, or why not |"));
        line(&mut page, format_args!("|--:|---|---|---|---|---|"));
        let is_here = |requirement: &&Requirement| {
            let first = requirement.section.split('.').next();
            requirement.rfc == rfc && (chapter.is_empty() || first == Some(chapter))
        };
        for Requirement { number, section, text, level, who, shown, .. } in
            requirements.iter().filter(is_here)
        {
            let shown = show(shown, names);
            line(&mut page, format_args!("| {number} | {section} | {text} | {level} | {who} | {shown} |"));
            written += 1;
        }
    }
    assert_eq!(written, all, "a requirement belongs to no chapter");
    page
}

/// Each test as a link to its file, and to the others that have a test of that name.
fn show(shown: &Shown, names: &Names) -> String {
    let tests = match shown {
        Shown::By(tests) => tests,
        Shown::Not(reason) => return format!("*{reason}*"),
    };
    let show = |test: &String| {
        let name = test.rsplit("::").next().unwrap_or_default();
        let mut text = format!("`{name}`");
        let mut links = Vec::new();
        for file in names.files(test) {
            // Links have slashes on every system.
            let parts: Vec<_> = file.iter().map(|part| part.to_string_lossy()).collect();
            links.push(format!("[{text}](../{})", parts.join("/")));
            text = "and here".into();
        }
        links.join(", ")
    };
    tests.iter().map(show).collect::<Vec<_>>().join("<br>")
}

fn line(page: &mut String, line: core::fmt::Arguments<'_>) {
    writeln!(page, "{line}").expect("a string takes anything");
}
