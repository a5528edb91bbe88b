//! The names of all tests of the project, found in its source: those that are compiled, and are not ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Token, tokens};

/// The names, each with the files that have a test of that name: one for each adapter or role, perhaps.
pub(crate) struct Names(BTreeMap<String, BTreeSet<PathBuf>>);

impl Names {
    /// The tests of the crate, of every program in `tests/` that Cargo builds, and of the examples with frameworks.
    pub(crate) fn of_project(root: &Path) -> Self {
        let mut names = Self(BTreeMap::new());
        names.add(root, Path::new("src/lib.rs"), true);
        let manifest = fs::read_to_string(root.join("tests/Cargo.toml")).expect("tests/Cargo.toml");
        let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
        for main in paths.filter(|path| path.ends_with("/main.rs")) {
            names.add(root, &Path::new("tests").join(main), true);
        }
        names.add(root, Path::new("examples/frameworks/tests/programs.rs"), true);
        names
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.files(name).next().is_some()
    }

    /// The files that have a test of this name, as seen from the root. A name may say in which file or directory the test is:
    /// `tokio::name`.
    pub(crate) fn files<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Path> {
        let (place, name) = name.split_once("::").unwrap_or(("", name));
        let is_there = move |file: &&PathBuf| {
            place.is_empty() || file.with_extension("").iter().any(|part| part == place)
        };
        self.0.get(name).into_iter().flatten().filter(is_there).map(PathBuf::as_path)
    }

    /// Adds what is in `file` and in the modules that it declares: a file that no crate declares is not compiled.
    fn add(&mut self, root: &Path, file: &Path, is_root: bool) {
        let source =
            fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let found = find(&tokens(&source));
        for name in found.tests {
            self.0.entry(name).or_default().insert(file.into());
        }
        let beside = file.parent().unwrap_or_else(|| Path::new(""));
        let is_directory = is_root || file.ends_with("mod.rs");
        let below = if is_directory { beside.into() } else { file.with_extension("") };
        for module in found.modules {
            let file = below.join(&module).with_extension("rs");
            let file = if root.join(&file).exists() { file } else { below.join(&module).join("mod.rs") };
            self.add(root, &file, false);
        }
    }
}

/// What a file declares.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    tests: Vec<String>,
    modules: Vec<String>,
}

/// Finds the functions that an attribute makes tests, also within macros, and the modules in files of their own.
fn find(tokens: &[Token]) -> Found {
    let mut found = Found::default();
    let mut attributes: Vec<&[Token]> = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        if first.is('#') && after.first().is_some_and(|token| token.is('[')) {
            let (attribute, behind) = split_group(&after[1..]);
            attributes.push(attribute);
            rest = behind;
            continue;
        }
        rest = after;
        match (first.word(), after) {
            (Some("pub" | "crate" | "super" | "in" | "async" | "const" | "unsafe" | "extern"), _) => continue,
            _ if !attributes.is_empty() && (first.is('(') || first.is(')')) => continue,
            (Some("fn"), [Token::Word(name), ..]) if is_test(&attributes) => found.tests.push(name.clone()),
            // What stands elsewhere is a program of its own.
            (Some("mod"), [Token::Word(name), end, ..]) if end.is(';') && !has_path(&attributes) => {
                found.modules.push(name.clone());
            }
            _ => {}
        }
        attributes.clear();
    }
    found
}

/// Splits behind the bracket that closes the group whose opening one was taken already.
fn split_group(tokens: &[Token]) -> (&[Token], &[Token]) {
    let mut depth = 1;
    for (at, token) in tokens.iter().enumerate() {
        depth += usize::from(token.is('['));
        depth -= usize::from(token.is(']'));
        if depth == 0 {
            return (&tokens[..at], &tokens[at + 1..]);
        }
    }
    (tokens, &[])
}

/// True for `#[path = ".."]`.
fn has_path(attributes: &[&[Token]]) -> bool {
    attributes.iter().any(|attribute| attribute.first().and_then(Token::word) == Some("path"))
}

/// True for `#[test]` and `#[tokio::test]`, with arguments or not, unless the test is ignored.
fn is_test(attributes: &[&[Token]]) -> bool {
    let name = |attribute: &&[Token]| {
        let path = attribute.iter().take_while(|token| token.word().is_some() || token.is(':'));
        path.last().and_then(Token::word).map(str::to_owned)
    };
    let names: Vec<_> = attributes.iter().filter_map(name).collect();
    names.iter().any(|name| name == "test") && !names.iter().any(|name| name == "ignore")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(source: &str) -> Found {
        find(&tokens(source))
    }

    #[test]
    fn only_functions_that_run_as_tests_are_found() {
        let found = find_in(
            r##"
            #[test]
            fn plain() { let text = "#[test] fn in_a_string() {}"; }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[allow(clippy::unwrap_used)]
            async fn asynchronous() {}

            #[cfg(test)]
            mod tests {
                #[allow(dead_code)]
                #[test]
                pub(crate) fn nested() -> Result<(), [u8; 2]> { Ok(()) }
            }

            proptest! {
                #![proptest_config(cases(10))]

                /// Documented.
                #[test]
                fn property(bytes in vec(any::<u8>(), 0..10)) {}
            }

            fn helper() {}
            // #[test]
            // fn commented_out() {}
            /* #[test] fn blocked_out() {} */
            #[ignore = "slow"]
            #[test]
            fn ignored() {}
            #[test]
            #[ignore]
            fn ignored_too() {}
            #[cfg(test)]
            fn helper_of_tests() {}
            #[test]
            const NO_FUNCTION: u8 = 0;
            fn behind_a_constant() {}
            macro_rules! test { ($name:ident) => { #[test] fn $name() {} }; }
            "##,
        );
        assert_eq!(found.tests, ["plain", "asynchronous", "nested", "property"]);
        assert_eq!(found.modules, [""; 0]);
    }

    #[test]
    fn modules_in_files_are_found() {
        let found = find_in(
            "mod plain; #[cfg(unix)] pub(crate) mod visible; mod inline { fn a() {} } // mod commented_out;
            #[path = \"../elsewhere.rs\"] mod elsewhere;",
        );
        assert_eq!(found.modules, ["plain", "visible"]);
    }

    #[test]
    fn the_project_is_searched_file_by_file() {
        let names = Names::of_project(&crate::root());
        let files = |name: &str| names.files(name).map(|file| file.display().to_string()).collect::<Vec<_>>();
        assert_eq!(files("the_project_is_searched_file_by_file"), ["tests/matrix/names.rs"]);
        // In a module of a module, in the crate itself, and made by `proptest!`.
        assert_eq!(files("connection_contains_upgrade").len(), 2);
        assert_eq!(files("server::connection_contains_upgrade"), ["tests/handshake/server/headers.rs"]);
        let in_crate = files("every_header_survives_a_round_trip_and_no_prefix_of_it_decodes");
        assert!(matches!(&in_crate[..], [file] if file.starts_with("src/")), "{in_crate:?}");
        assert_eq!(files("noise_comes_to_what_the_model_says"), ["tests/core/properties.rs"]);
        assert_eq!(
            files("core::every_length_has_one_form_and_is_read_as_it_is_meant"),
            ["tests/core/strict.rs"]
        );
        for wrong in
            ["receive_all", "every_length_has_one_form", "tokio::connection_contains_upgrade", "core::", ""]
        {
            assert!(!names.contains(wrong), "{wrong}");
        }
    }
}
