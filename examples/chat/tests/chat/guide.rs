//! The code in the guide is the code of the chat.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines without their indentation.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

#[test]
fn the_code_in_the_guide_is_in_the_sources() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    sources(&home.join("src"), &mut paths);
    let texts: Vec<_> = paths.iter().map(|path| fs::read_to_string(path).expect("text")).collect();
    let guide = fs::read_to_string(home.join("../../docs/guide/chat.md")).expect("the guide");
    let blocks: Vec<_> = guide.split("```").skip(1).step_by(2).collect();
    assert!(blocks.len() >= 10, "{}", blocks.len());
    for block in blocks {
        let (language, code) = block.split_once('\n').expect("a language");
        if language == "sh" {
            continue;
        }
        let code = lines(code.trim_end());
        let is_there = texts.iter().any(|text| lines(text).windows(code.len()).any(|window| window == code));
        assert!(is_there, "not in the sources: {}", code.join("\n"));
    }
}
