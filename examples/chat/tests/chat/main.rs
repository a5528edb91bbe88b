//! The chat from outside: over sockets, and in Chromium with two pages.

mod access;
mod browser;
mod chromium;
mod client;
mod cluster;
mod guide;
mod limits;
mod picture;
mod process;
mod security;
mod services;
mod simple;
mod talk;

use serde_json::Value;

/// `message["a"]["b"]` as text, for assertions.
fn text<'v>(message: &'v Value, pointer: &str) -> &'v str {
    message.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
