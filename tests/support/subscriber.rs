//! A subscriber that notes each event as a line.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// What to do with each line besides.
type Hook = Box<dyn Fn(&str) + Send + Sync>;

struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    hook: Hook,
}

/// Runs something, and returns what this thread has emitted meanwhile: level, message, and fields in their order.
pub fn listen<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
    listen_with(|_| {}, run)
}

/// As [`listen`], and calls `hook` within each event.
pub fn listen_with<T>(
    hook: impl Fn(&str) + Send + Sync + 'static,
    run: impl FnOnce() -> T,
) -> (T, Vec<String>) {
    // With one subscriber alone, a thread that has none may be the first to emit an event, and then nobody is asked again.
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| Dispatch::new(NoSubscriber::new()));

    let lines = Arc::<Mutex<Vec<String>>>::default();
    let subscriber = Lines { lines: Arc::clone(&lines), hook: Box::new(hook) };
    let output = tracing::subscriber::with_default(subscriber, run);
    let lines = lines.lock().expect("no panic").clone();
    (output, lines)
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tidewire"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        panic!("the crate makes no spans")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line { message: String::new(), fields: String::new() };
        event.record(&mut line);
        let line = format!("{} {}{}", event.metadata().level(), line.message, line.fields);
        (self.hook)(&line);
        self.lines.lock().expect("no panic").push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.fields += &format!(" {}={value:?}", field.name());
        }
    }
}
