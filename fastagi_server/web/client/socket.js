// The service's WebSocket, opened again for as long as it is wanted.

import { Backoff, sleep } from "./waiting.js";

const PATH = "/ws/auth";
const PROTOCOL = "sge-voip";
const OPEN_MS = 10_000;
const PING_MS = 20_000;
const SILENCE_MS = 30_000; // a ping is answered long before
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000; // the service ends the calls of whoever is away for ten seconds
const TOKEN_REFUSED = 4401;
const FORBIDDEN = 4403;
const NO_SOCKET = { code: null, isOpen: false };
const FITS_PROTOCOL = /^[\w.~+-]+$/;

/**
 * Frames both ways, as objects with a `type`.
 *
 * `on.state(word)` is told `connecting`, `connected`, `polling` (it comes again by itself),
 * `unauthorized` (it waits for `start`) and `closed`; `on.frame(frame)` what the service sends.
 * `on.isRefused()` finds out, where a connection has failed, whether it is for the token.
 */
export class Socket {
  #address;
  #credentials;
  #WebSocket;
  #on;
  #stop = null;
  #socket = null;

  constructor(base, credentials, WebSocket, on) {
    this.#address = `${base.replace(/^http/, "ws")}${PATH}`;
    this.#credentials = credentials;
    this.#WebSocket = WebSocket;
    this.#on = on;
  }

  /** Connects, and comes again whenever the connection ends, until `stop`. */
  start() {
    this.#stop?.abort();
    this.#stop = new AbortController();
    this.#run(this.#stop.signal);
  }

  /** Closes the connection for good. */
  stop() {
    this.#stop?.abort();
    this.#stop = null;
    this.#on.state("closed");
  }

  /** Sends a frame; false when there is no connection now. */
  send(frame) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  async #run(signal) {
    const pauses = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    this.#on.state("connecting");
    while (!signal.aborted) {
      const isRefused = await this.#connection(signal, pauses);
      if (signal.aborted) return;
      if (isRefused) return this.#on.state("unauthorized");
      this.#on.state("polling");
      await sleep(pauses.next(), signal);
    }
  }

  // One connection until its end; whether it ended because no token is good.
  async #connection(signal, pauses) {
    let token;
    try {
      token = await this.#credentials.current();
    } catch {
      return false; // whoever gives tokens cannot now
    }
    if (signal.aborted) return false;
    const { code, isOpen } = await this.#frames(token, signal, pauses).catch(() => NO_SOCKET);
    if (signal.aborted) return false;
    if (code === FORBIDDEN) return true;
    if (code === TOKEN_REFUSED) return !(await this.#credentials.renew(token).catch(() => true));
    // Of a handshake that failed a browser does not say why.
    return isOpen ? false : this.#on.isRefused();
  }

  // Passes frames on until the connection is closed; gives the code of that, and whether it was
  // ever open.
  async #frames(token, signal, pauses) {
    const socket = this.#open(token);
    let isOpen = false;
    const code = await new Promise((resolve) => {
      const giveUp = () => finish();
      let watchdog = setTimeout(giveUp, OPEN_MS);
      const pings = setInterval(() => this.send({ type: "Ping" }), PING_MS);
      signal.addEventListener("abort", giveUp);

      const seen = () => {
        clearTimeout(watchdog);
        watchdog = setTimeout(giveUp, SILENCE_MS);
      };
      socket.onopen = () => {
        this.#socket = socket;
        seen();
      };
      socket.onmessage = ({ data }) => {
        seen();
        // Only the first frame says that the token was good.
        if (!isOpen) this.#on.state("connected");
        isOpen = true;
        pauses.reset();
        this.#pass(data);
      };
      socket.onclose = (event) => finish(event.code);

      function finish(code) {
        clearTimeout(watchdog);
        clearInterval(pings);
        signal.removeEventListener("abort", giveUp);
        socket.onopen = socket.onmessage = socket.onclose = null;
        if (socket.readyState < 2) socket.close(1000);
        resolve(code);
      }
    });
    if (this.#socket === socket) this.#socket = null;
    return { code, isOpen };
  }

  // The token goes where no access log writes it down, unless it has characters that cannot.
  #open(token) {
    if (FITS_PROTOCOL.test(token)) {
      return new this.#WebSocket(this.#address, [PROTOCOL, `bearer.${token}`]);
    }
    return new this.#WebSocket(`${this.#address}?token=${encodeURIComponent(token)}`);
  }

  #pass(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // no frame of the service's
    }
    if (typeof frame?.type === "string") this.#on.frame(frame);
  }
}
