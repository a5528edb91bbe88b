//! Subprotocols, extensions and origins: what is read can be written and read again, and everything is a token.
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
    let offered = match negotiate::subprotocols(lines) {
        Ok(offered) => offered,
        Err(error) => {
            assert_eq!(error, HandshakeError::InvalidSubprotocols);
            assert_eq!(negotiate::subprotocols(&[&all]), Err(error));
            return;
        }
    };
    assert!(!offered.is_empty() && offered.iter().all(|name| is_token(name)));
    assert_eq!(offered.iter().collect::<HashSet<_>>().len(), offered.len());
    assert_eq!(negotiate::subprotocols(&[&all]).as_ref(), Ok(&offered));
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
        let (last, before) =
            extensions.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
        assert!(before.iter().all(Result::is_ok), "an error is the last item");
        all.extend(extensions.iter().flatten().map(write));
        if let Some(Err(error)) = last {
            assert_eq!(*error, HandshakeError::InvalidExtensions);
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

fn check_origin(origin: &str, host: &str) {
    let same = Origins::SameOrigin.allows(origin, host);
    let listed = Origins::list(&[origin]).allows(origin, host);
    assert!(listed || !same, "an origin that is the same can be listed");
    assert!(!(same || listed) || origin.contains("://"), "null and the like are never allowed");
    assert!(!Origins::list(&[]).allows(origin, host) && Origins::Any.allows(origin, host));
    // ASCII letters count alike in hosts and schemes.
    let (upper, shouted) = (origin.to_ascii_uppercase(), host.to_ascii_uppercase());
    assert_eq!(Origins::SameOrigin.allows(&upper, &shouted), same);
    assert_eq!(Origins::list(&[origin]).allows(&upper, host), listed);
}

/// RFC 2616 2.2.
fn is_token(text: &str) -> bool {
    let is_separator = |byte| b"()<>@,;:\\\"/[]?={} \t".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !is_separator(byte))
}
