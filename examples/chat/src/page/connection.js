// The talk with the server: it connects again, asks for what was missed, and sends until it is acknowledged.

const FIRST_DELAY = 500;
const MAX_DELAY = 30_000;
// Without any word of the server for so long, while it owes one, the connection counts as dead.
const ANSWER_TIMEOUT = 10_000;
const POLICY_VIOLATION = 1008;
// The server tells no more processes apart.
const MAX_ORIGINS = 64;
// Messages of a channel that are recognised when a second process tells them.
const MAX_HEARD = 500;

/** "all", "user" (what is said to this person) or "room:NAME": where a position is kept. */
function channelKey(channel) {
  if (channel === "all") return "all";
  return channel.room !== undefined ? `room:${channel.room}` : "user";
}

export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Connection {
  #url;
  #token;
  #hear;
  #client;
  #nextId;
  #pending;
  #rooms;
  #positions = new Map();
  #user = "";
  #heard = new Map();
  #socket = null;
  #isWelcome = false;
  #joined = new Set();
  #inFlight = null;
  #attempt = 0;
  #retryTimer = 0;
  #answerTimer = 0;
  #pauseTimer = 0;

  /** `saved` is what `save` gave; `hear` is called with what the server says, and with `{ type: "state" }`. */
  constructor({ url, token, saved, hear }) {
    this.#url = url;
    this.#token = token;
    this.#hear = hear;
    this.#client = saved?.client ?? randomId();
    this.#nextId = saved?.nextId ?? 1;
    this.#pending = saved?.pending ?? [];
    this.#rooms = new Set(saved?.rooms ?? []);
    addEventListener("online", () => this.#isWaiting() && this.connect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#isWaiting()) this.connect();
    });
  }

  get client() {
    return this.#client;
  }

  get pending() {
    return this.#pending;
  }

  get rooms() {
    return this.#rooms;
  }

  /** What is needed to go on after a reload. The messages are asked for again, so positions are no part of it. */
  save() {
    return { client: this.#client, nextId: this.#nextId, pending: this.#pending, rooms: [...this.#rooms] };
  }

  connect() {
    this.#drop();
    this.#hear({ type: "state", state: "connecting", text: "Connecting" });
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    let isOpen = false;
    socket.onopen = () => {
      isOpen = true;
      const { all, user } = { all: this.#positions.get("all"), user: this.#positions.get("user") };
      this.#send({ type: "hello", token: this.#token, client: this.#client, all, user });
    };
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(code, reason, isOpen);
    this.#expectAnswer();
  }

  join(room) {
    this.#rooms.add(room);
    if (this.#isWelcome) this.#askFor(room);
  }

  leave(room) {
    this.#rooms.delete(room);
    this.#positions.delete(`room:${room}`);
    this.#heard.delete(`room:${room}`);
    for (const { id, to } of [...this.#pending]) {
      if (to.room === room) this.#fail(id, "You have left the room.");
    }
    if (this.#joined.delete(room)) this.#send({ type: "leave", room });
  }

  /** Sends it now or later, until it is acknowledged. Returns it with its number. */
  say(to, text) {
    const message = { id: this.#nextId++, to, text, time: Date.now() };
    this.#pending.push(message);
    this.#flush();
    return message;
  }

  #isWaiting() {
    return this.#retryTimer !== 0;
  }

  #drop() {
    for (const timer of [this.#retryTimer, this.#answerTimer, this.#pauseTimer]) clearTimeout(timer);
    this.#retryTimer = this.#answerTimer = this.#pauseTimer = 0;
    this.#isWelcome = false;
    this.#joined.clear();
    this.#inFlight = null;
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
    }
  }

  async #lost(code, reason, wasOpen) {
    this.#drop();
    this.#attempt += 1;
    if (code === POLICY_VIOLATION) {
      this.#hear({ type: "state", state: "closed", text: `Closed: ${reason || "not allowed"}` });
      return;
    }
    // All pages lose a server at once, and must not all come back at once.
    const delay = 100 + Math.random() * Math.min(MAX_DELAY, FIRST_DELAY * 2 ** this.#attempt);
    this.#retryTimer = setTimeout(() => this.connect(), delay);
    const seconds = Math.ceil(delay / 1000);
    this.#hear({ type: "state", state: "waiting", text: `Connection lost, trying again in ${seconds} s` });
    if (!wasOpen && (await isLoginOver()) && this.#isWaiting()) {
      this.#drop();
      this.#hear({ type: "state", state: "closed", text: "Your login is over. Load the page again." });
    }
  }

  #expectAnswer() {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#lost(1006, "no answer", true), ANSWER_TIMEOUT);
  }

  #send(message) {
    this.#socket?.send(JSON.stringify(message));
    this.#expectAnswer();
  }

  #askFor(room) {
    this.#send({ type: "join", room, since: this.#positions.get(`room:${room}`) });
  }

  /** One message at a time, so that they arrive in order, whatever is refused for a while. */
  #flush() {
    if (!this.#isWelcome || this.#inFlight !== null || this.#pauseTimer) return;
    const isReady = ({ to }) => to.room === undefined || this.#joined.has(to.room);
    const next = this.#pending.find(isReady);
    if (!next) return;
    this.#inFlight = next.id;
    this.#send({ type: "say", id: next.id, to: next.to, text: next.text });
  }

  #take(id) {
    const index = this.#pending.findIndex((message) => message.id === id);
    if (this.#inFlight === id) this.#inFlight = null;
    return index < 0 ? undefined : this.#pending.splice(index, 1)[0];
  }

  #fail(id, text) {
    const message = this.#take(id);
    if (message) this.#hear({ type: "failed", message, text });
  }

  #pause(milliseconds, act) {
    clearTimeout(this.#pauseTimer);
    this.#pauseTimer = setTimeout(() => {
      this.#pauseTimer = 0;
      act();
      this.#flush();
    }, milliseconds);
  }

  /** True if it is news: later than what was read of its process. */
  #advance(key, origin, seq) {
    const position = this.#positions.get(key) ?? {};
    const isNews = !(position[origin] >= seq);
    if (isNews) {
      position[origin] = seq;
      for (const oldest of Object.keys(position).slice(0, -MAX_ORIGINS)) delete position[oldest];
      this.#positions.set(key, position);
    }
    return isNews;
  }

  /**
   * True for what is heard the first time. A process may tell a message and die before any other one knows of it. Its sender then says it
   * again to another process, where it has another place.
   */
  #isFirst(key, from, client, id) {
    const name = `${from} ${client} ${id}`;
    const heard = this.#heard.get(key) ?? new Set();
    if (heard.has(name)) return false;
    heard.add(name);
    if (heard.size > MAX_HEARD) heard.delete(heard.values().next().value);
    this.#heard.set(key, heard);
    return true;
  }

  #receive(message) {
    clearTimeout(this.#answerTimer);
    if (this.#inFlight !== null) this.#expectAnswer();
    switch (message.type) {
      case "welcome":
        this.#isWelcome = true;
        this.#user = message.user;
        this.#attempt = 0;
        this.#hear({ type: "state", state: "open", text: "Connected" });
        for (const room of this.#rooms) this.#askFor(room);
        break;
      case "joined": {
        const key = channelKey(message.channel);
        // Up to here the history does not go back any more.
        for (const [origin, seq] of Object.entries(message.after)) this.#advance(key, origin, seq);
        if (!this.#positions.has(key)) this.#positions.set(key, {});
        if (message.channel.room !== undefined) this.#joined.add(message.channel.room);
        break;
      }
      case "said":
        if (!this.#advance(channelKey(message.to), message.origin, message.seq)) return;
        if (!this.#isFirst(channelKey(message.to), message.from, message.client, message.id)) return;
        break;
      case "ack": {
        const said = this.#take(message.id);
        if (!said) return;
        this.#advance(channelKey(said.to), message.origin, message.seq);
        this.#isFirst(channelKey(said.to), this.#user, this.#client, message.id);
        message.message = said;
        break;
      }
      case "refused":
        return this.#refused(message);
    }
    this.#hear(message);
    this.#flush();
  }

  #refused(refusal) {
    const { id, room, reason, text, wait } = refusal;
    if (reason === "too-fast") {
      this.#inFlight = null;
      this.#pause(wait, () => room !== undefined && this.#rooms.has(room) && this.#askFor(room));
      return;
    }
    if (id !== undefined) {
      this.#fail(id, text);
    } else if (room !== undefined && reason !== "already-there") {
      this.#rooms.delete(room);
      this.#hear(refusal);
    }
    this.#flush();
  }
}

async function isLoginOver() {
  try {
    return (await fetch("/whoami")).status === 401;
  } catch {
    return false;
  }
}
