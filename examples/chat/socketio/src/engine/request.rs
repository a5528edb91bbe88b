//! The query of a request, and how a request is refused.

use thiserror::Error;

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A GET waits for packets, a POST brings some.
    Polling,
    /// A WebSocket message for each packet.
    WebSocket,
}

/// What the query of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'q> {
    /// The transport it is for.
    pub transport: Transport,
    /// The session, once there is one.
    pub sid: Option<&'q str>,
}

impl<'q> Query<'q> {
    /// Reads what follows the `?`. Other parameters, such as `t`, are the client's own.
    ///
    /// # Errors
    /// [`UnknownTransport`](Refusal::UnknownTransport) or [`UnsupportedVersion`](Refusal::UnsupportedVersion).
    pub fn parse(query: &'q str) -> Result<Self, Refusal> {
        let value = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let transport = match value("transport") {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return Err(Refusal::UnknownTransport),
        };
        if value("EIO") != Some("4") {
            return Err(Refusal::UnsupportedVersion);
        }
        Ok(Self { transport, sid: value("sid") })
    }
}

/// Why a request gets no answer but a status and a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Neither `polling` nor `websocket`.
    #[error("Transport unknown")]
    UnknownTransport,
    /// No session has this id, or none any more.
    #[error("Session ID unknown")]
    UnknownSid,
    /// A session begins with a GET.
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    /// Against the rules of the session.
    #[error("Bad request")]
    BadRequest,
    /// A page of another origin, that is not allowed.
    #[error("Forbidden")]
    Forbidden,
    /// `EIO` is not 4.
    #[error("Unsupported protocol version")]
    UnsupportedVersion,
    /// The body is longer than [`max_payload_len`](crate::Limits::max_payload_len).
    #[error("Payload too large")]
    TooLarge,
    /// The body took too long.
    #[error("Request timeout")]
    Timeout,
    /// There are as many sessions as the server takes.
    #[error("Too many sessions")]
    Busy,
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::Timeout => 408,
            Self::TooLarge => 413,
            Self::Busy => 503,
            _ => 400,
        }
    }

    /// The body of the response: JSON with a code, as clients know it.
    #[must_use]
    pub fn body(self) -> String {
        let code = match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest | Self::TooLarge | Self::Timeout => 3,
            Self::Forbidden | Self::Busy => 4,
            Self::UnsupportedVersion => 5,
        };
        format!(r#"{{"code":{code},"message":"{self}"}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_the_transport_and_the_session() {
        let query = Query::parse("EIO=4&transport=polling&t=abc").expect("valid");
        assert_eq!(query, Query { transport: Transport::Polling, sid: None });
        let query = Query::parse("sid=a_-b&transport=websocket&EIO=4").expect("valid");
        assert_eq!(query, Query { transport: Transport::WebSocket, sid: Some("a_-b") });
    }

    #[test]
    fn a_query_without_what_it_needs_is_refused() {
        for query in [
            "",
            "EIO=4",
            "EIO=4&transport=",
            "EIO=4&transport=abc",
            "EIO=4&Transport=polling",
            "EIO=4&transport",
        ] {
            assert_eq!(Query::parse(query), Err(Refusal::UnknownTransport), "{query}");
        }
        for query in [
            "transport=polling",
            "EIO=3&transport=polling",
            "EIO=abc&transport=websocket",
            "EIO=44&transport=polling",
        ] {
            assert_eq!(Query::parse(query), Err(Refusal::UnsupportedVersion), "{query}");
        }
    }

    #[test]
    fn a_refusal_is_json() {
        assert_eq!(Refusal::UnknownSid.body(), r#"{"code":1,"message":"Session ID unknown"}"#);
        assert_eq!(Refusal::UnknownSid.status(), 400);
        for refusal in [Refusal::TooLarge, Refusal::Forbidden, Refusal::Busy, Refusal::UnsupportedVersion] {
            let body: serde_json::Value = serde_json::from_str(&refusal.body()).expect("JSON");
            assert_eq!(body["message"], refusal.to_string());
        }
    }
}
