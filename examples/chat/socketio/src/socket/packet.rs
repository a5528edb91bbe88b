//! One packet: `<type>[<attachments>-][/namespace,][id]json`, and its attachments as binary messages.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::engine::{Encoded, Message};
use crate::limits::Limits;
use crate::socket::data::Data;
use crate::socket::json::{self, InvalidJson};

/// A whole packet as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// `/`, or another that begins with it.
    pub namespace: String,
    /// What it says.
    pub body: Body,
}

/// What a packet of a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// It joins the namespace, and shows who it is: an object in JSON, `{}` if it sent none.
    Connect(String),
    /// It leaves the namespace.
    Disconnect,
    /// An event.
    Event {
        /// The first item of the array.
        name: String,
        /// The others.
        data: Data,
        /// It wants an acknowledgement with this number.
        id: Option<u64>,
    },
    /// An acknowledgement.
    Ack {
        /// Of the event with this number.
        id: u64,
        /// Its arguments.
        data: Data,
    },
}

/// A packet that is none, or that goes beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidPacket {
    /// A type that the protocol has not, or that only servers send.
    #[error("a packet has an unknown type")]
    UnknownType,
    /// Not a number from 1 to [`max_attachments`](Limits::max_attachments).
    #[error("a packet announces no attachments, or too many")]
    Attachments,
    /// A name longer than [`max_name_len`](Limits::max_name_len).
    #[error("the name of a namespace or an event is too long")]
    NameTooLong,
    /// Not a number, or one that JavaScript does not count to.
    #[error("the number of an event is out of range")]
    Id,
    /// Not what the type of the packet asks for.
    #[error("a packet has a payload of the wrong kind")]
    Payload,
    /// Not JSON, or JSON that is not taken.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// Text where an attachment is due, or an attachment where none is.
    #[error("an attachment is missing, or nobody announced it")]
    Order,
    /// The attachments are longer than [`max_payload_len`](Limits::max_payload_len) together.
    #[error("the attachments of a packet are too long")]
    TooLong,
    /// In a namespace that the client is not in, or joining one that it is in.
    #[error("a packet is for a namespace that the client is not in, or in already")]
    Namespace,
    /// More than [`max_namespaces`](Limits::max_namespaces).
    #[error("a client joins too many namespaces")]
    TooManyNamespaces,
}

/// A packet whose attachments have yet to come.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) packet: Packet,
    pub(crate) attachments: usize,
}

/// JavaScript's `Number.MAX_SAFE_INTEGER`.
const MAX_ID: u64 = (1 << 53) - 1;

impl Head {
    pub(crate) fn decode(text: &str, limits: &Limits) -> Result<Self, InvalidPacket> {
        let kind = text
            .chars()
            .next()
            .filter(|kind| ('0'..='6').contains(kind))
            .ok_or(InvalidPacket::UnknownType)?;
        let rest = &text[1..];
        let (attachments, rest) = match kind {
            '5' | '6' => attachments(rest, limits)?,
            _ => (0, rest),
        };
        let (namespace, rest) = namespace(rest, limits)?;
        let (id, payload) = id(rest)?;
        let named = (attachments > 0).then_some(attachments);
        let body = match kind {
            '0' => Body::Connect(connect(id, payload, limits)?),
            '1' if id.is_none() && payload.is_empty() => Body::Disconnect,
            '2' | '5' => event(id, payload, limits, named)?,
            '3' | '6' => {
                let id = id.ok_or(InvalidPacket::Id)?;
                Body::Ack { id, data: Data::from_checked(array(payload, limits, named)?.into(), Vec::new()) }
            }
            '4' => return Err(InvalidPacket::UnknownType),
            _ => return Err(InvalidPacket::Payload),
        };
        Ok(Self { packet: Packet { namespace: namespace.into(), body }, attachments })
    }

    /// The packet with its attachments.
    pub(crate) fn complete(mut self, attachments: Vec<Bytes>) -> Packet {
        if let Body::Event { data, .. } | Body::Ack { data, .. } = &mut self.packet.body {
            *data = std::mem::take(data).with_attachments(attachments);
        }
        self.packet
    }
}

fn attachments<'t>(text: &'t str, limits: &Limits) -> Result<(usize, &'t str), InvalidPacket> {
    let (count, rest) = text.split_once('-').ok_or(InvalidPacket::Attachments)?;
    // No sign, no blank, and not so long that reading it is work.
    let is_number = (1..=4).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|_| is_number).ok_or(InvalidPacket::Attachments)?;
    if !(1..=limits.max_attachments).contains(&count) {
        return Err(InvalidPacket::Attachments);
    }
    Ok((count, rest))
}

fn namespace<'t>(text: &'t str, limits: &Limits) -> Result<(&'t str, &'t str), InvalidPacket> {
    if !text.starts_with('/') {
        return Ok(("/", text));
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    if namespace.len() > limits.max_name_len {
        return Err(InvalidPacket::NameTooLong);
    }
    Ok((namespace, rest))
}

fn id(text: &str) -> Result<(Option<u64>, &str), InvalidPacket> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return Ok((None, text));
    }
    let (id, rest) = text.split_at(len);
    let id = id.parse().ok().filter(|id| *id <= MAX_ID).ok_or(InvalidPacket::Id)?;
    Ok((Some(id), rest))
}

fn connect(id: Option<u64>, payload: &str, limits: &Limits) -> Result<String, InvalidPacket> {
    if id.is_some() {
        return Err(InvalidPacket::Payload);
    }
    if payload.is_empty() {
        return Ok("{}".into());
    }
    json::check(payload, limits.max_depth, None)?;
    if !payload.starts_with('{') {
        return Err(InvalidPacket::Payload);
    }
    Ok(payload.into())
}

fn array<'t>(
    payload: &'t str,
    limits: &Limits,
    attachments: Option<usize>,
) -> Result<&'t str, InvalidPacket> {
    json::check(payload, limits.max_depth, attachments)?;
    let payload = payload.trim();
    if payload.starts_with('[') { Ok(payload) } else { Err(InvalidPacket::Payload) }
}

fn event(
    id: Option<u64>,
    payload: &str,
    limits: &Limits,
    attachments: Option<usize>,
) -> Result<Body, InvalidPacket> {
    let array = array(payload, limits, attachments)?;
    let mut items = serde_json::Deserializer::from_str(&array[1..]).into_iter::<serde_json::Value>();
    // The check above has seen that it is JSON, so only an empty array has no first item.
    let name = match items.next() {
        Some(Ok(serde_json::Value::String(name))) => name,
        Some(Ok(serde_json::Value::Number(name))) => name.to_string(),
        _ => return Err(InvalidPacket::Payload),
    };
    if name.len() > limits.max_name_len {
        return Err(InvalidPacket::NameTooLong);
    }
    let rest = array[1 + items.byte_offset()..array.len() - 1].trim_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim();
    Ok(Body::Event { name, data: Data::from_checked(format!("[{rest}]"), Vec::new()), id })
}

/// A packet that is ready to be sent, to one client or to many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing(Arc<[Encoded]>);

impl Outgoing {
    /// The client is in the namespace, with this id.
    pub(crate) fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> Self {
        let pid = pid.map_or(String::new(), |pid| format!(r#","pid":"{pid}""#));
        Self::new('0', namespace, None, &format!(r#"{{"sid":"{sid}"{pid}}}"#), &[])
    }

    /// The client is not let in; `payload` is an object in JSON.
    pub(crate) fn connect_error(namespace: &str, payload: &str) -> Self {
        Self::new('4', namespace, None, payload, &[])
    }

    pub(crate) fn disconnect(namespace: &str) -> Self {
        Self::new('1', namespace, None, "", &[])
    }

    /// An event for any number of clients in the namespace.
    #[must_use]
    pub fn event(namespace: &str, name: &str, data: &Data) -> Self {
        Self::numbered_event(namespace, name, data, None)
    }

    pub(crate) fn numbered_event(namespace: &str, name: &str, data: &Data, id: Option<u64>) -> Self {
        let name = serde_json::Value::from(name);
        let comma = if data.items().is_empty() { "" } else { "," };
        let payload = format!("[{name}{comma}{}]", data.items());
        let kind = if data.attachments().is_empty() { '2' } else { '5' };
        Self::new(kind, namespace, id, &payload, data.attachments())
    }

    pub(crate) fn ack(namespace: &str, id: u64, data: &Data) -> Self {
        let kind = if data.attachments().is_empty() { '3' } else { '6' };
        Self::new(kind, namespace, Some(id), data.as_json(), data.attachments())
    }

    fn new(kind: char, namespace: &str, id: Option<u64>, payload: &str, attachments: &[Bytes]) -> Self {
        let mut text = String::with_capacity(32 + namespace.len() + payload.len());
        text.push(kind);
        if !attachments.is_empty() {
            write!(text, "{}-", attachments.len()).expect("a string takes all");
        }
        if namespace != "/" {
            text.push_str(namespace);
            text.push(',');
        }
        if let Some(id) = id {
            write!(text, "{id}").expect("a string takes all");
        }
        text.push_str(payload);
        let attachments = attachments.iter().map(|attachment| Message::Binary(attachment.clone()));
        Self(std::iter::once(Message::Text(&text)).chain(attachments).map(Encoded::from).collect())
    }

    /// The event with one more argument, a text, behind the others.
    #[must_use]
    pub fn with_text(&self, text: &str) -> Self {
        let mut packets = self.0.to_vec();
        if let Some(Encoded::Text(event)) = packets.first_mut() {
            let argument = serde_json::to_string(text).unwrap_or_default();
            let mut longer = String::with_capacity(event.len() + 1 + argument.len());
            longer.push_str(event.strip_suffix(']').unwrap_or(event));
            // An acknowledgement may be empty.
            if !longer.ends_with('[') {
                longer.push(',');
            }
            longer.push_str(&argument);
            longer.push(']');
            *event = longer.into();
        }
        Self(packets.into())
    }

    /// For [`Session::send`](crate::engine::Session::send).
    #[must_use]
    pub fn packets(&self) -> &[Encoded] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
