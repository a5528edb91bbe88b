//! Subprotocols, extensions and origins: read as a naive reader does, and what is read can be written and read again.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use tidewire::handshake::negotiate::{self, Extension};
use tidewire::{HandshakeError, Origins};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let lines: Vec<_> = text.split('\n').collect();
    check_subprotocols(&lines);
    check_extensions(&lines);
    if let [origin, host, ..] = lines[..] {
        check_origin(origin, host);
    }
});

fn check_subprotocols(lines: &[&str]) {
    let all = lines.join(",");
    let names: Vec<_> = all.split(',').map(trim).filter(|name| !name.is_empty()).collect();
    let are_different = names.iter().collect::<HashSet<_>>().len() == names.len();
    let is_valid = !names.is_empty() && are_different && names.iter().all(|name| is_token(name));
    let expected = is_valid.then_some(names);
    for result in [negotiate::subprotocols(lines), negotiate::subprotocols(&[&all])] {
        match (result, &expected) {
            (Ok(offered), Some(expected)) => assert_eq!(offered, *expected),
            (Err(HandshakeError::InvalidSubprotocols(_)), None) => {}
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }
    let Some(offered) = expected else { return };
    assert_eq!(negotiate::subprotocols(&[&offered.join(", ")]).as_ref(), Ok(&offered));
    let reversed: Vec<_> = offered.iter().rev().copied().collect();
    assert_eq!(negotiate::choose_subprotocol(&offered, &reversed), offered.last().copied());
    assert_eq!(negotiate::choose_subprotocol(&offered, &["no token"]), None);
}

fn check_extensions(lines: &[&str]) {
    let read = |line| negotiate::extensions(line).collect::<Vec<_>>();
    let mut all = Vec::new();
    for line in lines {
        let extensions = read(line);
        let valid = extensions.iter().map(|extension| extension.as_ref().ok().map(write)).collect();
        assert_eq!(read_naively(line), valid);
        let (last, before) =
            extensions.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
        assert!(before.iter().all(Result::is_ok), "an error is the last item");
        all.extend(extensions.iter().flatten().map(write));
        if let Some(Err(error)) = last {
            assert!(matches!(error, HandshakeError::InvalidExtensions(_)), "{error:?}");
            return;
        }
    }
    let written = all.join(", ");
    let again: Vec<_> =
        read(&written).into_iter().map(|extension| write(&extension.expect("valid"))).collect();
    assert_eq!(again, all);
    // RFC 6455 9.1: lines may be joined.
    let joined = lines.join(",");
    let again: Vec<_> =
        read(&joined).into_iter().map(|extension| write(&extension.expect("valid"))).collect();
    assert_eq!(again, all);
}

fn write(extension: &Extension<'_>) -> String {
    assert!(is_token(extension.name()));
    let parameters = extension.parameters().map(|(name, value)| {
        assert!(is_token(name));
        match value {
            Some(value) => {
                assert!(is_token(&value));
                format!("; {name}=\"{value}\"")
            }
            None => format!(";{name}"),
        }
    });
    parameters.fold(extension.name().into(), |all, parameter| all + &parameter)
}

/// The extensions as [`write`] writes them; `None` if the grammar is broken anywhere.
fn read_naively(line: &str) -> Option<Vec<String>> {
    // What is quoted is a token as well, so that neither a comma nor a semicolon is in it.
    let elements = line.split(',').map(trim).filter(|element| !element.is_empty());
    elements
        .map(|element| {
            let mut parts = element.split(';').map(trim);
            let name = parts.next().filter(|name| is_token(name))?;
            parts.try_fold(String::from(name), |all, part| Some(all + &read_parameter(part)?))
        })
        .collect()
}

fn read_parameter(part: &str) -> Option<String> {
    let Some((name, value)) = part.split_once('=') else {
        return is_token(part).then(|| format!(";{part}"));
    };
    let (name, value) = (trim(name), trim(value));
    let value = match value.strip_prefix('"') {
        Some(value) => unescape(value.strip_suffix('"')?)?,
        None => value.into(),
    };
    (is_token(name) && is_token(&value)).then(|| format!("; {name}=\"{value}\""))
}

fn unescape(quoted: &str) -> Option<String> {
    let mut characters = quoted.chars();
    let unescaped = std::iter::from_fn(|| match characters.next()? {
        '\\' => Some(characters.next()),
        '"' => Some(None),
        character => Some(Some(character)),
    });
    unescaped.collect()
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn check_origin(origin: &str, host: &str) {
    let same = Origins::same().allows(origin, host);
    let list = Origins::list(&[origin]);
    let listed = list.as_ref().is_ok_and(|list| list.allows(origin, host));
    // A star stands for something else than itself.
    assert!(listed || !same || origin.contains('*'), "an origin that is the same can be listed");
    assert!(listed || list.is_err() || origin.contains('*'), "an entry matches itself");
    assert!(!(same || listed) || origin.contains("://"), "null and the like are never allowed");
    assert!(
        !Origins::list(&[""; 0]).expect("nobody").allows(origin, host) && Origins::any().allows(origin, host)
    );
    if !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        let allows = |origin: String| Origins::same().allows(&origin, host);
        assert!(allows(format!("http://{host}")) && allows(format!("https://{host}:443")));
        assert!(!allows(format!("http://{host}:443")) && !allows(format!("https://x{host}")));
    }
    // ASCII letters count alike in hosts and schemes.
    let (upper, shouted) = (origin.to_ascii_uppercase(), host.to_ascii_uppercase());
    assert_eq!(Origins::same().allows(&upper, &shouted), same);
    let list = list.ok().filter(|_| origin != "file://");
    assert_eq!(list.is_some_and(|list| list.allows(&upper, host)), listed && origin != "file://");
}

/// RFC 2616 2.2.
fn is_token(text: &str) -> bool {
    let is_separator = |byte| b"()<>@,;:\\\"/[]?={} \t".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !is_separator(byte))
}
