//! Logins at the chat: over one connection, each from an address of its own.

use std::error::Error;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Somebody who has logged in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) address: String,
    pub(crate) cookie: String,
    pub(crate) token: String,
}

/// A connection that stays open.
pub(crate) struct Visits {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Visits {
    pub(crate) async fn open(host: &str) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host: host.to_owned() })
    }

    pub(crate) async fn log_in(&mut self, number: usize) -> Result<Login, Box<dyn Error>> {
        let address = address(number);
        let (cookie, page) = self.ask("GET /", &address, "", "").await?;
        let form =
            format!("token={}&namespace=main&name=guest{number}", between(&page, "name=\"token\" value=\"")?);
        let (cookie, _) = self.ask("POST /login", &address, &cookie.ok_or("no cookie")?, &form).await?;
        let cookie = cookie.ok_or("no cookie")?;
        let (_, page) = self.ask("GET /", &address, &cookie, "").await?;
        Ok(Login { address, token: between(&page, "data-token=\"")?.to_owned(), cookie })
    }

    /// Returns the cookie that is set, and the page.
    async fn ask(
        &mut self,
        request: &str,
        address: &str,
        cookie: &str,
        form: &str,
    ) -> Result<(Option<String>, String), Box<dyn Error>> {
        let Self { stream, host } = self;
        let head = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {address}\r\nCookie: {cookie}\r\n\
            Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(head.as_bytes()).await?;
        let (mut cookie, mut len) = (None, 0);
        let mut line = String::new();
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line == "\r\n" {
                    break;
                }
                if line.starts_with("HTTP/1.1 200") || line.starts_with("HTTP/1.1 303") {
                    continue;
                }
                return Err(format!("{request}: {line:?}").into());
            };
            if name.eq_ignore_ascii_case("set-cookie") {
                cookie = value.split(';').next().map(str::to_owned);
            } else if name.eq_ignore_ascii_case("content-length") {
                len = value.parse()?;
            }
        }
        let mut page = vec![0; len];
        stream.read_exact(&mut page).await?;
        Ok((cookie, String::from_utf8(page)?))
    }
}

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255)
}

fn between<'p>(page: &'p str, before: &str) -> Result<&'p str, Box<dyn Error>> {
    let rest = page.split_once(before).ok_or("not the page that was expected")?.1;
    Ok(rest.split('"').next().unwrap_or_default())
}
