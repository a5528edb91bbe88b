//! The pages: plain HTML, CSS and JavaScript, a part of the program. Nothing comes from elsewhere.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{Html, IntoResponse, Response};

use crate::rooms::{Name, Person};

const CHAT: &str = include_str!("page/chat.html");
const LOGIN: &str = include_str!("page/login.html");

/// What the browser may do with a page: run its script, use its style, talk to its server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The page of the chat.
#[must_use]
pub fn chat(person: &Person, token: &str, namespace: &Name) -> Response {
    page(CHAT, &[("user", person.name.as_str()), ("token", token), ("namespace", namespace.as_str())])
}

/// The page of the login, with what was wrong with the last try.
#[must_use]
pub fn login(token: &str, namespace: &Name, problem: &str, has_moderators: bool) -> Response {
    let moderators = if has_moderators { "yes" } else { "no" };
    let values = [
        ("token", token),
        ("namespace", namespace.as_str()),
        ("problem", problem),
        ("moderators", moderators),
    ];
    page(LOGIN, &values)
}

/// The page of the official Socket.IO client, and nothing else.
#[must_use]
pub fn simple() -> Response {
    Html(include_str!("page/simple.html")).into_response()
}

/// Its script.
pub async fn simple_script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page/simple.js"))
}

/// None of the values needs to be escaped: names and tokens have no markup, and problems are our own words.
fn page(template: &str, values: &[(&str, &str)]) -> Response {
    let html = values
        .iter()
        .fold(template.to_owned(), |html, (name, value)| html.replace(&format!("{{{{{name}}}}}"), value));
    Html(html).into_response()
}

/// The script of the chat: what is shown.
pub async fn chat_script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page/chat.js"))
}

/// The script of the chat: what is sent.
pub async fn connection_script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page/connection.js"))
}

/// The style of both pages.
pub async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("page/style.css"))
}

/// The icon of both pages.
pub async fn icon() -> Response {
    file("image/svg+xml", include_str!("page/icon.svg"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// The headers that all answers have.
pub async fn secure(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` a browser would hide the origin of our own form.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
