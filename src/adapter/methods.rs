//! The methods that read the same in both adapters, for a whole connection and for its halves: said once, so that they cannot differ.
//!
//! The tokio adapter passes the words that its methods have beyond those of the blocking one, and both what `flush_to` returns.

/// For whoever sends: on top of `flush_to(rest)`, `with_sender` and `now`.
macro_rules! sending_methods {
    ($flushed:ty $(, $async:ident, $dot:tt $await:ident, $cancel_safety:literal)?) => {
        /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room.
        ///
        /// A whole [`WebSocket`] does not read meanwhile: where the peer may be blocked writing as well, [split](WebSocket::split) it.
        ///
        /// # Errors
        /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut), and [`SendError::Closed`](crate::SendError::Closed) when the end of the
        /// connection has been received.
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "Cancel safe."]
        )?
        #[inline]
        pub fn ready(&mut self) -> $flushed {
            let rest = self.with_sender(|sender| sender.ready_len());
            self.flush_to(rest)
        }

        /// Queues a message without writing it: the next method that waits does.
        ///
        /// # Errors
        /// As [`Sender::send`].
        pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
            Ok(self.with_sender(|sender| sender.send(message))?)
        }

        /// [`ready`](Self::ready), then [`queue`](Self::queue).
        ///
        /// # Errors
        /// As these two.
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "When the future is dropped, the message is not queued."]
        )?
        pub $($async)? fn feed<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
            let message = message.into();
            self.ready()$($dot $await)??;
            self.queue(message)
        }

        /// [`feed`](Self::feed), then [`flush`](Self::flush).
        ///
        /// # Errors
        /// As these two.
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "When the future is dropped, the message is queued whole or not at all."]
        )?
        pub $($async)? fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
            self.feed(message)$($dot $await)??;
            self.flush()$($dot $await)?
        }

        /// Writes everything that is queued.
        ///
        /// # Errors
        /// As [`ready`](Self::ready).
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "Cancel safe: what is not written stays queued."]
        )?
        #[inline]
        pub fn flush(&mut self) -> $flushed {
            self.flush_to(0)
        }

        /// Sends a ping. The pong is an event of whoever receives, and `round_trip_time` tells there how long it took.
        ///
        /// # Errors
        /// As [`Sender::ping`] and [`flush`](Self::flush).
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "When the future is dropped, the ping is queued."]
        )?
        pub $($async)? fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
            let now = self.now();
            self.with_sender(|sender| sender.ping(payload).map(|()| sender.measure(now)))?;
            self.flush()$($dot $await)?
        }
    };
}

/// For whoever receives: on top of `with_halves`.
macro_rules! receiving_methods {
    () => {
        /// Where the connection is between open and closed.
        #[must_use]
        pub fn state(&self) -> State {
            self.with_halves(Receiver::state)
        }

        /// How the connection ended; `None` until it has.
        #[must_use]
        pub fn ending(&self) -> Option<Ending> {
            self.with_halves(Receiver::ending)
        }

        /// How long the peer took to answer the last ping that it answered, keepalive pings included.
        #[must_use]
        pub fn round_trip_time(&self) -> Option<Duration> {
            self.with_halves(|_, sender| sender.round_trip_time())
        }
    };
}

/// For a whole connection: on top of `negotiated`, `sender` and `recv_ref`.
macro_rules! whole_methods {
    ($($async:ident, $dot:tt $await:ident, $cancel_safety:literal)?) => {
        /// The subprotocol that the opening handshake settled on.
        #[must_use]
        pub fn subprotocol(&self) -> Option<&str> {
            self.negotiated.as_ref()?.subprotocol()
        }

        /// The server's response, on a client. What a server wants to know of the request, it takes from [`Incoming`].
        #[must_use]
        pub fn response(&self) -> Option<&Response> {
            self.negotiated.as_ref()?.response()
        }

        /// Closes the connection: sends a Close frame, discards the messages that are still under way, and waits until the
        /// transport has ended or the close timeout is over (RFC 6455 7.1.2). [`ending`](Self::ending) tells how it ended.
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        $(
            #[doc = ""]
            #[doc = $cancel_safety]
            #[doc = "When the future is dropped, the Close frame is queued; [`recv`](Self::recv) or another `close` goes on."]
        )?
        pub $($async)? fn close(&mut self, body: impl Into<CloseBody>) -> Result<(), Error> {
            self.sender().close(body);
            while self.recv_ref()$($dot $await)??.is_some() {}
            Ok(())
        }
    };
}

pub(crate) use {receiving_methods, sending_methods, whole_methods};
