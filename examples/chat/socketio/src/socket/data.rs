//! The arguments of an event or an acknowledgement: a JSON array, and the attachments that it names.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

/// Arguments, kept as they were sent.
///
/// ```
/// use chat_socketio::socket::Data;
///
/// let data = Data::new(&("hello", 7))?;
/// let (text, number): (String, u8) = data.parse()?;
/// assert_eq!((text.as_str(), number), ("hello", 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Data {
    /// An array.
    json: String,
    attachments: Vec<Bytes>,
}

/// These cannot be arguments.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidData {
    /// No JSON can stand for it.
    #[error("the arguments are not JSON")]
    Json(#[from] serde_json::Error),
    /// Neither a tuple nor a list.
    #[error("the arguments are not an array")]
    NotArray,
}

impl Data {
    /// From a tuple, an array or a list, whose items are the arguments.
    ///
    /// # Errors
    /// [`InvalidData`].
    pub fn new(arguments: &impl Serialize) -> Result<Self, InvalidData> {
        let json = serde_json::to_string(arguments)?;
        if !json.starts_with('[') {
            return Err(InvalidData::NotArray);
        }
        Ok(Self { json, attachments: Vec::new() })
    }

    /// With attachments. The [placeholder](Self::placeholder) of each must stand in the arguments.
    #[must_use]
    pub fn with_attachments(mut self, attachments: impl Into<Vec<Bytes>>) -> Self {
        self.attachments = attachments.into();
        self
    }

    /// Stands for an attachment in the arguments.
    #[must_use]
    pub fn placeholder(index: usize) -> Value {
        json!({"_placeholder": true, "num": index})
    }

    /// `json` must be an array.
    pub(crate) fn from_checked(json: String, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments }
    }

    /// The arguments, as a tuple or a list.
    ///
    /// # Errors
    /// When they are of other types, or of another number.
    pub fn parse<'d, T: Deserialize<'d>>(&'d self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.json)
    }

    /// The arguments as an array in JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// What the placeholders stand for.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The arguments without the brackets around them; empty when there are none.
    pub(crate) fn items(&self) -> &str {
        self.json[1..self.json.len() - 1].trim()
    }
}

/// No arguments.
impl Default for Data {
    fn default() -> Self {
        Self { json: "[]".into(), attachments: Vec::new() }
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let excerpt: String = self.json.chars().take(64).collect();
        formatter
            .debug_struct("Data")
            .field("json", &excerpt)
            .field("attachments", &self.attachments.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arrays_are_arguments() {
        assert_eq!(Data::new(&(1, "2")).expect("an array").as_json(), r#"[1,"2"]"#);
        assert_eq!(Data::new(&[0; 0]).expect("an array"), Data::default());
        for wrong in [json!({}), json!("[]"), json!(null)] {
            assert!(matches!(Data::new(&wrong), Err(InvalidData::NotArray)), "{wrong}");
        }
    }

    #[test]
    fn arguments_are_what_was_sent() {
        let data = Data::from_checked(r#"[ 1.50, "é" ]"#.into(), Vec::new());
        assert_eq!(data.items(), r#"1.50, "é""#);
        assert!(data.parse::<(f64, String)>().is_ok());
        assert!(data.parse::<(f64,)>().is_err());
        assert_eq!(Data::default().items(), "");
    }
}
