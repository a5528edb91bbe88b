//! Pages of others, and whom a server lets in.

use tidewire::{Config, Origins};

use support::handshake::{REQUEST, failure, replaced, serve};

/// How a server at `host` refuses a page from `origin`, if it does.
fn knock(origins: &Origins, host: &str, origin: &str) -> String {
    let head = replaced(REQUEST, "Host", &format!("Host: {host}\r\nOrigin: {origin}\r\n"));
    let outcome = serve(Config::new(), origins, head.as_bytes(), false);
    let is_told = outcome.output.starts_with(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n");
    assert_eq!(outcome.result.is_err(), is_told, "{host}, {origin}");
    failure(outcome.result)
}

#[test]
fn no_trick_makes_a_foreign_origin_a_listed_one() {
    let list = Origins::list(&["https://example.com", "http://localhost:3000", "https://*.example.org"])
        .expect("valid");
    for origin in
        ["https://example.com", "https://EXAMPLE.com:443", "http://localhost:3000", "https://a.b.example.org"]
    {
        assert_eq!(knock(&list, "example.com", origin), "nothing", "{origin}");
    }
    for origin in [
        "https://evil-example.com",
        "https://notexample.com",
        "https://example.com.evil.net",
        "https://example.com.",
        "https://.example.com",
        "https://www.example.com",
        "https://example.co",
        "https://example.com:444",
        "https://example.com:80",
        "http://example.com",
        "http://example.com:443",
        "wss://example.com",
        "https://example.com@evil.net",
        "https://evil.net@example.com",
        "https://evil.net/https://example.com",
        "https://evil.net#https://example.com",
        "https://evil.net?https://example.com",
        "https://example.com/",
        "https://example.com\\.evil.net",
        "https://example.com%2eevil.net",
        "https://example%2ecom",
        "https://example.com, https://evil.net",
        "https://evil.net,https://example.com",
        "https://example.com https://example.com",
        "https:example.com",
        "https:/example.com",
        "https:///example.com",
        "//example.com",
        "example.com",
        "null",
        "*",
        "",
        "http://localhost",
        "http://localhost:3001",
        "https://example.org",
        "https://.example.org",
        "https://evil-example.org",
        "https://a.example.org.evil.net",
        "https://a.example.org@evil.net",
        "https://evil.net/.example.org",
        "https://evil.net\\.example.org",
        "https://evil.net?.example.org",
        "https://evil.net#.example.org",
        "https://evil.net:443.example.org",
        "https://evil.net%2f.example.org",
        "https://evil.net%23.example.org",
        "https://[::1].example.org",
        "https://*.example.org",
        "https://a,b.example.org",
        "https://a.example.org:8443",
        "https://a.example.org.",
        "https://a%2eexample.org",
        "file://",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
    ] {
        assert_eq!(knock(&list, "example.com", origin), "OriginNotAllowed", "{origin}");
    }
}

#[test]
fn a_page_whose_name_was_rebound_to_the_server_is_kept_out_by_a_list_alone() {
    // The attacker's name resolves to the server, and the browser says so in both headers.
    let (host, origin) = ("rebound.evil.net:3000", "http://rebound.evil.net:3000");
    assert_eq!(knock(&Origins::same(), host, origin), "nothing");
    let list = Origins::list(&["http://localhost:3000"]).expect("valid");
    assert_eq!(knock(&list, host, origin), "OriginNotAllowed");
}
