//! Errors by the names of their variants: what is in them is shown by the tests of their sentences.

use std::fmt::Debug;

/// The name of an error's variant.
pub fn kind(error: &impl Debug) -> String {
    let shown = format!("{error:?}");
    shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The name of the variant of an error, or "nothing" if there is none.
pub fn failure<T, E: Debug>(result: Result<T, E>) -> String {
    result.err().map_or_else(|| "nothing".into(), |error| kind(&error))
}
