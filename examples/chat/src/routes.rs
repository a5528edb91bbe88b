//! The routes: pages, login and logout, and the socket.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Form, Json, Router, middleware};
use serde::{Deserialize, Serialize};
use tidewire::ServerHandshake;
use tokio::time::{Instant, timeout};

use crate::gate::{Buckets, Gate, network};
use crate::guest::{self, Host};
use crate::login::{Keys, LOGIN_SECONDS, Login, is_same_secret};
use crate::pace::Pace;
use crate::pages;
use crate::rooms::Name;
use crate::server::{Peer, Settings};
use crate::socketio::{self, Holding, SocketIo};
use crate::space::Space;
use crate::upgrade::Upgrade;

/// Logins from one address: so many in a second, and at once.
const LOGIN_RATE: (f64, f64) = (0.2, 20.0);

/// How long a form may take to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Chat {
    settings: Settings,
    keys: Keys,
    spaces: BTreeMap<Name, Arc<Space>>,
    handshake: ServerHandshake,
    logins: Mutex<Buckets<IpAddr>>,
    pace: Arc<Pace>,
    /// Sockets by the address that a proxy tells.
    sockets: Gate,
    socketio: SocketIo,
    start: Instant,
}

impl Chat {
    pub(crate) fn new(keys: Keys, spaces: BTreeMap<Name, Arc<Space>>, settings: Settings) -> Self {
        let pace = Arc::new(Pace::new(settings.rate));
        Self {
            handshake: ServerHandshake::new(settings.socket()).with_origins(settings.origins.clone()),
            logins: Mutex::new(Buckets::new(LOGIN_RATE.0, LOGIN_RATE.1)),
            sockets: Gate::new(usize::MAX, settings.max_per_address),
            socketio: SocketIo::new(&spaces, &settings, Arc::clone(&pace)),
            pace,
            start: Instant::now(),
            keys,
            spaces,
            settings,
        }
    }

    /// Tells the clients of Socket.IO that the server goes.
    pub(crate) fn close_sessions(&self) {
        self.socketio.close_all();
    }

    /// The front page's.
    fn first(&self) -> Option<&Name> {
        self.settings.namespaces.first()
    }

    fn cookie_name(&self) -> &'static str {
        // RFC 6265bis 4.1.3.2: with this prefix, only this host can have set it, over TLS.
        if self.settings.is_secure { "__Host-chat" } else { "chat" }
    }

    fn cookie(&self, value: &str, seconds: u64) -> String {
        let secure = if self.settings.is_secure { "; Secure" } else { "" };
        format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
            self.cookie_name()
        )
    }

    /// Where a request comes from.
    fn address(&self, peer: &Peer, headers: &HeaderMap) -> IpAddr {
        let forwarded = || {
            headers
                .get_all("x-forwarded-for")
                .iter()
                .next_back()?
                .to_str()
                .ok()?
                .rsplit(',')
                .next()?
                .trim()
                .parse()
                .ok()
        };
        if self.settings.is_behind_proxy { forwarded().unwrap_or(peer.address) } else { peer.address }
    }

    /// A form that another site's page has sent is refused, even if there is a token in it.
    fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(header::HOST).unwrap_or_default();
        text(header::ORIGIN).is_some_and(|origin| !self.settings.origins.allows(origin, host))
    }
}

pub(crate) fn router(chat: Arc<Chat>) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/n/{namespace}", get(page))
        .route("/login", post(login).layer(middleware::from_fn(in_time)))
        .route("/logout", post(logout).layer(middleware::from_fn(in_time)))
        .route("/whoami", get(whoami))
        .route("/socket/{namespace}", get(socket))
        .route("/socket.io/", any(socketio))
        .route("/socket.io/socket.io.js", get(socketio::client_file))
        .route("/simple", get(simple))
        .route("/simple.js", get(pages::simple_script))
        .route("/chat.js", get(pages::chat_script))
        .route("/connection.js", get(pages::connection_script))
        .route("/style.css", get(pages::style))
        .route("/icon.svg", get(pages::icon))
        .layer(middleware::map_response(pages::secure))
        .with_state(Shared(chat))
}

/// A form that dribbles in is not waited for.
async fn in_time(request: Request, next: middleware::Next) -> Response {
    timeout(FORM_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        (StatusCode::REQUEST_TIMEOUT, [(header::CONNECTION, "close")], "the form took too long\n")
            .into_response()
    })
}

/// The state of the router.
#[derive(Clone, Debug)]
struct Shared(Arc<Chat>);

impl std::ops::Deref for Shared {
    type Target = Chat;

    fn deref(&self) -> &Chat {
        &self.0
    }
}

impl AsRef<ServerHandshake> for Shared {
    fn as_ref(&self) -> &ServerHandshake {
        &self.handshake
    }
}

/// The login of the request's cookie, if it has a valid one.
struct Visit(Option<Login>);

impl FromRequestParts<Shared> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, chat: &Shared) -> Result<Self, Infallible> {
        let lines = parts.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut cookies =
            lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        let now = unix_seconds();
        // Another site of this domain may have set one of the same name.
        let login = cookies.find_map(|(name, value)| {
            (name == chat.cookie_name()).then(|| chat.keys.verify(value, now)).flatten()
        });
        Ok(Self(login))
    }
}

async fn front(chat: State<Shared>, visit: Visit) -> Response {
    match chat.first().cloned() {
        Some(namespace) => page(chat, Path(namespace), visit).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The chat, or the login before it.
async fn page(State(chat): State<Shared>, Path(namespace): Path<Name>, Visit(login): Visit) -> Response {
    if !chat.spaces.contains_key(&namespace) {
        return (StatusCode::NOT_FOUND, "there is no such namespace\n").into_response();
    }
    match login.as_ref().and_then(|login| Some((login, login.person()?))) {
        Some((login, person)) => pages::chat(person, &chat.keys.token(login), &namespace),
        None => login_page(&chat, login, &namespace, StatusCode::OK, ""),
    }
}

/// The page for Socket.IO, once somebody has logged in.
async fn simple(Visit(login): Visit) -> Response {
    match login.as_ref().and_then(Login::person) {
        Some(_) => pages::simple(),
        None => Redirect::to("/").into_response(),
    }
}

fn login_page(
    chat: &Chat,
    login: Option<Login>,
    namespace: &Name,
    status: StatusCode,
    problem: &str,
) -> Response {
    let Some(visit) = login.or_else(|| Login::anonymous(unix_seconds()).ok()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let cookie = chat.cookie(&chat.keys.sign(&visit), LOGIN_SECONDS);
    let has_moderators = chat.settings.moderator_password.is_some();
    let page = pages::login(&chat.keys.token(&visit), namespace, problem, has_moderators);
    (status, [(header::SET_COOKIE, cookie)], page).into_response()
}

#[derive(Deserialize)]
struct LoginForm {
    token: String,
    namespace: Name,
    name: String,
    #[serde(default)]
    password: String,
}

async fn login(
    State(chat): State<Shared>,
    Extension(peer): Extension<Peer>,
    Visit(visit): Visit,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    let problem = |status, problem| login_page(&chat, visit.clone(), &form.namespace, status, problem);
    if chat.is_foreign(&headers) {
        return problem(StatusCode::FORBIDDEN, "That form came from another site.");
    }
    if !visit.as_ref().is_some_and(|visit| chat.keys.is_token_of(&form.token, visit)) {
        return problem(StatusCode::FORBIDDEN, "That page was too old. Try again.");
    }
    let now = chat.start.elapsed();
    let address = chat.address(&peer, &headers);
    if chat.logins.lock().unwrap_or_else(PoisonError::into_inner).take(network(address), now).is_err() {
        return problem(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many logins from your address. Try again in a few seconds.",
        );
    }
    let is_moderator = match (&chat.settings.moderator_password, form.password.as_str()) {
        (_, "") => false,
        (Some(password), guess) if is_same_secret(password, guess) => true,
        _ => return problem(StatusCode::FORBIDDEN, "That is not the moderators' password."),
    };
    match Login::new(form.name.trim(), is_moderator, unix_seconds()) {
        Ok(Some(login)) => {
            let cookie = chat.cookie(&chat.keys.sign(&login), LOGIN_SECONDS);
            ([(header::SET_COOKIE, cookie)], back(&chat, &form.namespace)).into_response()
        }
        Ok(None) => problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "A name has up to 32 letters and digits, with - _ or . inside, and no spaces.",
        ),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Deserialize)]
struct LogoutForm {
    token: String,
    namespace: Name,
}

async fn logout(
    State(chat): State<Shared>,
    Visit(visit): Visit,
    headers: HeaderMap,
    Form(form): Form<LogoutForm>,
) -> Response {
    let is_own = visit.is_some_and(|visit| chat.keys.is_token_of(&form.token, &visit));
    if chat.is_foreign(&headers) || !is_own {
        return (StatusCode::FORBIDDEN, "the token is not of this login\n").into_response();
    }
    ([(header::SET_COOKIE, chat.cookie("", 0))], back(&chat, &form.namespace)).into_response()
}

fn back(chat: &Chat, namespace: &Name) -> Redirect {
    // Names are letters of any script, and a header is ASCII: other namespaces than ours lead to the front page.
    match chat.spaces.get_key_value(namespace) {
        Some((name, _)) if Some(name) != chat.first() && name.as_str().is_ascii() => {
            Redirect::to(&format!("/n/{name}"))
        }
        _ => Redirect::to("/"),
    }
}

#[derive(Serialize)]
struct Whoami {
    user: Name,
}

/// A page whose socket is refused finds out whether its login is over.
async fn whoami(Visit(login): Visit) -> Response {
    match login.as_ref().and_then(Login::person) {
        Some(person) => Json(Whoami { user: person.name.clone() }).into_response(),
        None => (StatusCode::UNAUTHORIZED, "the login is over\n").into_response(),
    }
}

async fn socket(
    State(chat): State<Shared>,
    Path(namespace): Path<Name>,
    Extension(peer): Extension<Peer>,
    Visit(login): Visit,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let Some(space) = chat.spaces.get(&namespace).cloned() else {
        return (StatusCode::NOT_FOUND, "there is no such namespace\n").into_response();
    };
    let Some(login) = login.filter(|login| login.person().is_some()) else {
        return (StatusCode::UNAUTHORIZED, "log in first\n").into_response();
    };
    let place = match chat.settings.is_behind_proxy.then(|| chat.sockets.admit(chat.address(&peer, &headers)))
    {
        Some(Err(_)) => {
            return (StatusCode::TOO_MANY_REQUESTS, "too many connections from your address\n")
                .into_response();
        }
        place => place,
    };
    let host = Host { space, keys: chat.keys.clone(), pace: Arc::clone(&chat.pace) };
    upgrade.accept(move |socket| async move {
        // How a connection ended is told to its page; the server goes on.
        let _ = guest::serve(host, login, socket, peer.leaving.clone()).await;
        drop((place, peer));
    })
}

async fn socketio(
    State(chat): State<Shared>,
    Extension(peer): Extension<Peer>,
    Visit(login): Visit,
    request: Request,
) -> Response {
    let Some(login) = login.filter(|login| login.person().is_some()) else {
        return (StatusCode::UNAUTHORIZED, "log in first\n").into_response();
    };
    let address = chat.address(&peer, request.headers());
    // Many sessions fit into one connection, so that each takes a place of its own.
    let admit = || Some(Holding { peer, place: chat.sockets.admit(address).ok()? });
    chat.socketio.handle(request, login, admit).await
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
