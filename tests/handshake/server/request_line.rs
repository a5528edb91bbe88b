//! The method, the target, the version, and the grammar of the head (RFC 9112 2 and 3).

use tidewire::{Config, Origins};

use crate::server::{accepted, refused, refused_by};
use support::handshake::{REQUEST, failure, replaced, serve, with};

#[test]
fn a_head_that_breaks_the_grammar_is_refused() {
    for head in [
        // Line ends, at once: nothing has to follow.
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\rHost",
        "GET / HTTP/1.1\r\r",
        "GET / HTTP/1.1\r\nHost: h\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\n",
        "\r\n\r\n",
        "\r\n\n",
        "\r\n\r",
        "\r\n \r\n\r\n",
        "\n",
        "GET /\0",
        "GET / HTTP/1.1\r\nHost: \0",
        // The request line.
        "GET  / HTTP/1.1\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET /\t HTTP/1.1\r\n\r\n",
        "GET /\u{7f} HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / HTTP/1.x\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/11\r\n\r\n",
        "GET / \r\n\r\n",
        "GET /\r\n\r\n",
        "GET\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET HTTP/1.1\r\n\r\n",
    ] {
        refused(head, "MalformedHead");
    }
    for line in [
        "X : a",
        " X: a",
        "X: a\r\n b",
        "X: a\r\n\tb",
        ": a",
        "X",
        "X(: a",
        "X: \x01",
        "X: \x7f",
        "X\u{e9}: a",
    ] {
        refused(&with(REQUEST, &format!("{line}\r\n")), "MalformedHead");
        refused(&format!("GET / HTTP/1.1\r\n{line}\r\n\r\n"), "MalformedHead");
    }
}

#[test]
fn one_empty_line_before_the_request_line_is_skipped() {
    let request = accepted(&format!("\r\n{}", with(REQUEST, "A: b\r\n")));
    assert_eq!((request.target(), request.host()), ("/chat", "server.example.com"));
    assert_eq!(request.headers().last(), Some(("A", &b"b"[..])));
    refused(&format!("\r\n\r\n{}", with(REQUEST, "")), "MalformedHead");
    refused(&format!("\r\n{}", with(&REQUEST.replace("GET", "\r\nGET"), "")), "MalformedHead");
    // It buys no room for the head.
    let head = with(REQUEST, "");
    let config = Config::new().with_max_head_len(head.len() - 1);
    refused_by(config, &format!("\r\n{head}"), "HeadTooLong");
}

#[test]
fn only_get_and_http_1_1_are_supported() {
    for method in ["POST", "OPTIONS", "get", "GE", "GETS", "CONNECT"] {
        refused(&with(&REQUEST.replace("GET", method), ""), "MethodNotGet");
    }
    for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/3.0"] {
        refused(&with(&REQUEST.replace("HTTP/1.1", version), ""), "UnsupportedHttpVersion");
    }
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "UnsupportedHttpVersion");
}

#[test]
fn the_answer_to_head_has_no_body() {
    let head = with(&REQUEST.replace("GET", "HEAD"), "");
    let outcome = serve(Config::new(), &Origins::same(), head.as_bytes(), false);
    assert_eq!(failure(outcome.result), "MethodNotGet");
    let answer = "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&outcome.output), answer);
}

#[test]
fn a_missing_host_counts_before_the_method_and_the_target() {
    for line in ["POST /chat", "HEAD /chat", "OPTIONS *", "GET *", "CONNECT server.example.com:80"] {
        refused(&replaced(&REQUEST.replace("GET /chat", line), "Host", ""), "InvalidHost");
    }
    refused(&with(&REQUEST.replace("GET /chat", "OPTIONS *"), ""), "MethodNotGet");
}

#[test]
fn the_target_is_a_path_or_an_absolute_http_uri() {
    for (target, resource_name, path, host) in [
        ("/", "/", "/", "server.example.com"),
        ("//a/../b?c?d", "//a/../b?c?d", "//a/../b", "server.example.com"),
        ("/%0d%0a%zz%", "/%0d%0a%zz%", "/%0d%0a%zz%", "server.example.com"),
        ("/a[]^|{}`\\'?", "/a[]^|{}`\\'", "/a[]^|{}`\\'", "server.example.com"),
        ("http://other:81", "/", "/", "other:81"),
        ("HTTPS://other?a", "/?a", "/", "other"),
        ("http://[::1]/a?b", "/a?b", "/a", "[::1]"),
        (
            "/<a>\"#b?{\"room\":\"tide\",\"to\":[1]}",
            "/<a>\"#b?{\"room\":\"tide\",\"to\":[1]}",
            "/<a>\"#b",
            "server.example.com",
        ),
        ("/caf\u{e9}?\u{1f980}", "/caf\u{e9}?\u{1f980}", "/caf\u{e9}", "server.example.com"),
        ("http://other/\"<\u{e9}>#?\"", "/\"<\u{e9}>#?\"", "/\"<\u{e9}>#", "other"),
    ] {
        let request = accepted(&with(&REQUEST.replace("/chat", target), ""));
        assert_eq!(request.target(), resource_name);
        assert_eq!(request.path(), path);
        assert_eq!(request.host(), host);
    }
    for target in [
        "*",
        "server.example.com:80",
        "chat",
        "?a",
        "/\u{85}",
        "/\u{9b}m",
        "/a\u{a0}b",
        "/a\u{2028}b",
        "http://other#/",
        "http://other\\/",
        "http://other\"/",
        "http://\u{e9}/",
        "ftp://h/",
        "ws://h/",
        "http:///a",
        "http://user@h/",
        "http://h:x/",
        "http:/h",
    ] {
        refused(&with(&REQUEST.replace("/chat", target), ""), "InvalidTarget");
    }
}
