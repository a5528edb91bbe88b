//! What client and server agree on: origins and extensions, on plain strings and in a request (RFC 6455 9.1 and 10.2).

use support::handshake::{REQUEST, failure, kind, replaced, serve, with};
use tidewire::handshake::negotiate;
use tidewire::{Config, Origins};

#[test]
fn the_same_origin_is_the_same_host_and_port() {
    let check = |host: &str, origin: &str| {
        let head = replaced(REQUEST, "Host", &format!("Host: {host}\r\nOrigin: {origin}\r\n"));
        let outcome = serve(Config::new(), &Origins::same(), head.as_bytes(), false);
        assert_eq!(outcome.result.is_ok(), Origins::same().allows(origin, host));
        failure(outcome.result)
    };
    for (host, origin) in [
        ("example.com", "http://example.com"),
        ("example.com", "https://example.com"),
        ("EXAMPLE.com", "HTTPS://example.COM"),
        ("example.com:443", "https://example.com"),
        ("example.com:80", "http://example.com"),
        ("example.com", "https://example.com:443"),
        ("example.com:8080", "http://example.com:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        // Clients that are no browsers derive it from the URI that they connect to.
        ("example.com", "ws://example.com"),
        ("example.com", "wss://example.com"),
        ("example.com:443", "WSS://example.com"),
        ("example.com", "ws://example.com:80"),
        ("example.com:8080", "wss://example.com:8080"),
    ] {
        assert_eq!(check(host, origin), "nothing", "{host} {origin}");
    }
    for (host, origin) in [
        ("example.com", "https://evil-example.com"),
        ("example.com", "https://example.com.evil.net"),
        ("example.com", "https://evil.net"),
        ("example.com", "https://www.example.com"),
        ("example.com:8080", "http://example.com"),
        ("example.com", "http://example.com:8080"),
        ("example.com:443", "http://example.com"),
        ("example.com", "null"),
        ("null", "null"),
        ("example.com", ""),
        ("example.com", "example.com"),
        ("example.com", "https://example.com/"),
        ("example.com", "https://evil.net#@example.com"),
        ("example.com", "https://evil@example.com"),
        ("example.com", "https://example.com https://example.com"),
        ("example.com", "https://example.com:"),
        ("example.com", "https://example.com:x"),
        ("example.com", "chrome-extension://example.com"),
        ("example.com:443", "ws://example.com"),
        ("example.com", "wss://example.com:80"),
        ("example.com", "ws://evil.net"),
        ("example.com", "wsss://example.com"),
        ("example.com", "file://"),
        ("example.com", "https:// example.com"),
    ] {
        // A port without digits stands for the default.
        let expected = if origin.ends_with(':') { "nothing" } else { "OriginNotAllowed" };
        assert_eq!(check(host, origin), expected, "{host} {origin}");
    }
}

#[test]
fn a_list_allows_its_origins_alone() {
    let list = Origins::list(&[
        "https://example.com",
        "http://localhost:3000",
        "app://ui",
        "https://*.example.org",
        "HTTP://*.Dev.Example.org:8080",
        "file://",
    ])
    .expect("valid");
    for (origin, allowed) in [
        ("https://example.com", true),
        ("HTTPS://Example.Com:443", true),
        ("http://localhost:3000", true),
        ("app://ui", true),
        ("http://example.com", false),
        ("https://localhost:3000", false),
        ("http://localhost", false),
        ("app://ui:1", false),
        ("https://server.example.com", false),
        ("https://a.example.org", true),
        ("https://a.b-c.Example.ORG:443", true),
        ("http://x.dev.example.org:8080", true),
        ("https://example.org", false),
        ("https://.example.org", false),
        ("https://a..example.org", false),
        ("https://aexample.org", false),
        ("https://a.example.org.", false),
        ("https://a.example.org:8080", false),
        ("http://a.example.org", false),
        ("http://dev.example.org:8080", false),
        ("http://x.dev.example.org", false),
        ("wss://example.com", false),
        ("file://", true),
        ("FILE://", false),
        ("file:///", false),
        ("file://a", false),
        ("file:", false),
        ("null", false),
        ("", false),
    ] {
        assert_eq!(list.allows(origin, "server.example.com"), allowed, "{origin}");
        assert!(Origins::any().allows(origin, "server.example.com"));
        let head = with(REQUEST, &format!("Origin: {origin}\r\n"));
        assert_eq!(serve(Config::new(), &list, head.as_bytes(), false).result.is_ok(), allowed);
        assert!(serve(Config::new(), &Origins::any(), head.as_bytes(), false).result.is_ok());
    }
    // What is not a browser need not tell an origin.
    assert!(serve(Config::new(), &list, with(REQUEST, "").as_bytes(), false).result.is_ok());
}

#[test]
fn an_entry_that_can_match_nothing_is_an_error() {
    for (entry, hint) in [
        ("*", "any()"),
        ("null", "sandboxed"),
        ("", "no scheme"),
        ("example.com", "no scheme"),
        ("localhost:3000", "no scheme"),
        ("//example.com", "no scheme"),
        ("https:example.com", "no scheme"),
        ("https://", "a host"),
        ("https://example.com/", "a slash"),
        ("https://example.com/chat", "a slash"),
        ("https://example.com?a", "a slash"),
        ("https://example.com#", "a slash"),
        ("https://user@example.com", "a host"),
        ("https://example.com:x", "a port"),
        ("https://example.com:0", "a port"),
        ("https://example.com:65536", "a port"),
        ("https://a b", "a host"),
        (" https://example.com", "a scheme"),
        ("https://example.com, https://example.org", "a host"),
        ("https://m\u{fc}nchen.example", "a host"),
        ("https://::1", "a host"),
        ("1s://a", "a scheme"),
        ("://a", "a scheme"),
        ("ht tp://a", "a scheme"),
        ("*://example.com", "a scheme"),
        ("file:///", "a slash"),
        ("https://*", "a star"),
        ("https://*.", "a star"),
        ("https://*.*", "a star"),
        ("https://**.example.com", "a star"),
        ("https://*example.com", "a star"),
        ("https://a.*.com", "a star"),
        ("https://*.a.*", "a star"),
        ("https://*..example.com", "a star"),
        ("https://*.example.com.", "a star"),
        ("https://*.ex%61mple.com", "a star"),
        ("https://*.0.0.1", "a star"),
        ("https://*:8080", "a star"),
    ] {
        let error = Origins::list(&["https://example.com", entry]).expect_err(entry).to_string();
        assert!(error.starts_with(&format!("{entry:?} matches no origin: ")), "{error}");
        assert!(error.contains(hint), "{error}");
    }
    assert!(!Origins::list(&[""; 0]).expect("nobody").allows("https://example.com", "example.com"));
    assert_eq!(Origins::default(), Origins::same());
}

#[test]
fn the_parameters_of_extensions_are_unquoted() {
    let line = "a, b ; c = \"d\\e\" ;f;g=h";
    let extensions: Vec<_> = negotiate::extensions(line).collect::<Result<_, _>>().expect("valid");
    let [a, b] = &extensions[..] else { panic!("two") };
    assert_eq!((a.name(), a.parameters().count()), ("a", 0));
    assert_eq!(b.name(), "b");
    let parameters: Vec<_> = b.parameters().collect();
    assert_eq!(parameters, [("c", Some("de".into())), ("f", None), ("g", Some("h".into()))]);
    // The item with the error is the last one.
    assert_eq!(negotiate::extensions("a b, c").count(), 2);
    // An escaped quote does not end the value, which therefore is no token.
    for line in [r#"a; b="c\"""#, r#"a; b="c\"d""#, r#"a; b="\"", c"#] {
        let extensions: Vec<_> = negotiate::extensions(line).collect();
        let [Err(error)] = &extensions[..] else { panic!("{line}: {extensions:?}") };
        assert_eq!(kind(error), "InvalidExtensions", "{line}");
    }
}

#[test]
fn the_subprotocols_of_all_lines_are_one_list() {
    for (lines, offered) in [
        (&[][..], Some(&[][..])),
        (&["soap"], Some(&["soap"])),
        (&["soap , wamp", "", ",mqtt"], Some(&["soap", "wamp", "mqtt"])),
        (&[""], None),
        (&["soap, soap"], None),
        (&["so ap"], None),
    ] {
        assert_eq!(negotiate::subprotocols(lines).ok().as_deref(), offered, "{lines:?}");
    }
}
