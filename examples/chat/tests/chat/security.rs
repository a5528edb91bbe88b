//! Who is let in.

use serde_json::{Value, json};

use crate::client::{Client, Login, ask, upgrade};
use crate::process::Chat;
use crate::text;

#[tokio::test]
async fn a_foreign_origin_is_refused() {
    let chat = Chat::start(&[]).await;
    let Login { cookie, .. } = Login::new(&chat, "ann").await;
    let own = format!("http://{}", chat.host());
    for (origin, status) in [("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:1", 403)] {
        let answer = ask(&chat.host(), "GET /socket/main", &upgrade(origin, &cookie), "").await;
        assert_eq!(answer.status, status, "{origin}");
    }
    // The same request from our own page is fine, but for the version.
    let mut headers = upgrade(&own, &cookie);
    headers.retain(|(name, _)| *name != "Sec-WebSocket-Version");
    assert_eq!(ask(&chat.host(), "GET /socket/main", &headers, "").await.status, 426);
}

#[tokio::test]
async fn the_origins_of_the_options_count() {
    let chat = Chat::start(&["--origin", "https://chat.example.org"]).await;
    let visit = ask(&chat.host(), "GET /", &[], "").await;
    assert!(visit.cookie().starts_with("__Host-chat="));
    assert!(visit.header("set-cookie").expect("a cookie").contains("; Secure"));
    let own = format!("http://{}", chat.host());
    assert_eq!(ask(&chat.host(), "GET /socket/main", &upgrade(&own, ""), "").await.status, 403);
    let listed = ask(&chat.host(), "GET /socket/main", &upgrade("https://chat.example.org", ""), "").await;
    assert_eq!(listed.status, 401);
}

#[tokio::test]
async fn a_forged_login_is_refused() {
    let chat = Chat::start(&[]).await;
    let Login { cookie, .. } = Login::new(&chat, "ann").await;
    let other = Chat::start(&[]).await;
    let forged = Login::new(&other, "ann").await.cookie;
    let as_moderator = cookie.replacen(".guest.", ".moderator.", 1);
    assert_ne!(as_moderator, cookie);
    let visitor = ask(&chat.host(), "GET /", &[], "").await.cookie();
    for cookie in ["", "chat=", "other=1", &forged, &as_moderator, &visitor, &cookie[..cookie.len() - 1]] {
        let own = format!("http://{}", chat.host());
        let answer = ask(&chat.host(), "GET /socket/main", &upgrade(&own, cookie), "").await;
        assert_eq!((answer.status, answer.body.as_str()), (401, "log in first\n"), "{cookie}");
        assert_eq!(ask(&chat.host(), "GET /whoami", &[("Cookie", cookie)], "").await.status, 401);
    }
    // A valid one counts wherever it stands: another site of the domain may have set one of its name.
    for cookie in [cookie.clone(), format!("chat=forged; {cookie}")] {
        assert_eq!(
            ask(&chat.host(), "GET /whoami", &[("Cookie", &cookie)], "").await.status,
            200,
            "{cookie}"
        );
    }
}

#[tokio::test]
async fn a_form_that_does_not_arrive_is_not_waited_for() {
    let chat = Chat::start(&[]).await;
    for request in ["POST /login", "POST /logout"] {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let answer = ask(&chat.host(), request, &[kind, ("Content-Length", "100")], "").await;
        assert_eq!(answer.status, 408, "{request}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;

    let chat = Chat::start(&[]).await;
    for name in ["key", "main.jsonl"] {
        let mode = std::fs::metadata(chat.folder().join(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn the_token_of_another_login_is_none() {
    let chat = Chat::start(&[]).await;
    let (ann, bob) = (Login::new(&chat, "ann").await, Login::new(&chat, "bob").await);
    for token in ["", &bob.token] {
        let mut client = Client::connect(&chat, &ann).await;
        client.send(json!({ "type": "hello", "token": token, "client": "1".repeat(32) })).await;
        assert_eq!(client.closed().await, (1008, "the token is not of this login".into()));
    }
    let mut client = Client::connect(&chat, &ann).await;
    client.send(json!({ "type": "join", "room": "lobby" })).await;
    assert_eq!(client.closed().await, (1008, "hello comes first".into()));
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let chat = Chat::start(&[]).await;
    let visit = ask(&chat.host(), "GET /", &[], "").await;
    let (cookie, token) = (visit.cookie(), visit.between("name=\"token\" value=\"", "\""));
    let form = |token: &str| format!("token={token}&namespace=main&name=ann");
    let evil = ("Origin", "http://evil.example");
    for (headers, token) in [
        (vec![("Cookie", cookie.as_str()), evil], token.as_str()),
        (vec![("Cookie", &cookie)], ""),
        (vec![("Cookie", &cookie)], "00"),
        (vec![], &token),
    ] {
        let answer = ask(&chat.host(), "POST /login", &headers, &form(token)).await;
        assert_eq!(answer.status, 403, "{headers:?} {token}");
    }
    let ann = Login::new(&chat, "ann").await;
    let logout = |token: &str| format!("token={token}&namespace=main");
    for (headers, token) in [
        (vec![("Cookie", ann.cookie.as_str()), evil], ann.token.as_str()),
        (vec![("Cookie", &ann.cookie)], &token),
        (vec![], &ann.token),
    ] {
        assert_eq!(ask(&chat.host(), "POST /logout", &headers, &logout(token)).await.status, 403);
    }
    let answer = ask(&chat.host(), "POST /logout", &[("Cookie", &ann.cookie)], &logout(&ann.token)).await;
    assert_eq!((answer.status, answer.cookie().as_str()), (303, "chat="));
}

#[tokio::test]
async fn the_headers_of_a_page_are_strict() {
    let chat = Chat::start(&[]).await;
    let page = ask(&chat.host(), "GET /", &[], "").await;
    let cookie = page.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    for path in ["/", "/chat.js", "/connection.js", "/style.css", "/icon.svg", "/nothing"] {
        let answer = ask(&chat.host(), &format!("GET {path}"), &[], "").await;
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn names_and_passwords_are_checked() {
    let chat = Chat::start(&[]).await;
    let visit = ask(&chat.host(), "GET /", &[], "").await;
    let token = visit.between("name=\"token\" value=\"", "\"");
    for (name, password, status) in [
        ("a+b", "", 422),
        ("%3Cb%3E", "", 422),
        ("ann%23k3f9x2", "", 422),
        ("", "", 422),
        ("ann", "high+tide", 403),
        ("ann", "low+tide", 303),
    ] {
        let form = format!("token={token}&namespace=main&name={name}&password={password}");
        let answer = ask(&chat.host(), "POST /login", &[("Cookie", &visit.cookie())], &form).await;
        assert_eq!(answer.status, status, "{name} {password}");
    }
    // The namespace of a form leads nowhere else.
    let form = format!("token={token}&namespace=evil.example&name=ann");
    let answer = ask(&chat.host(), "POST /login", &[("Cookie", &visit.cookie())], &form).await;
    assert_eq!(answer.header("location"), Some("/"));
}

#[tokio::test]
async fn logins_from_one_address_are_limited() {
    let chat = Chat::start(&[]).await;
    let visit = ask(&chat.host(), "GET /", &[], "").await;
    let form = format!("token={}&namespace=main&name=ann", visit.between("name=\"token\" value=\"", "\""));
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(ask(&chat.host(), "POST /login", &[("Cookie", &visit.cookie())], &form).await.status);
    }
    assert!(statuses.starts_with(&[303; 20]), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn two_of_one_name_are_told_apart() {
    let chat = Chat::start(&[]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    let mut other = Client::member(&chat, "ann", "lobby").await;
    assert_ne!(ann.user, other.user);
    let mut eve = Client::hello(&chat, &Login::new(&chat, "eve").await, '1', Value::Null).await;
    assert_eq!(eve.say(json!({ "user": ann.user }), "psst").await["reached"], 1);
    assert_eq!(ann.hear().await, "psst");
    assert_eq!(text(&other.say(json!({ "user": "ann" }), "psst").await, "/reason"), "no-such-person");
}
