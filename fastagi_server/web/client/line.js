// The way between a call here and its far end: messages through the service.

import { Mailbox } from "./mailbox.js";

/**
 * Messages of one call both ways, with Asterisk or another browser (`to`).
 *
 * What is sent goes out one after another. `on.message(kind, payload)` is told each message of the
 * far end once and in order, `on.unsent(kind, error)` what could not be sent.
 */
export class Line {
  #rest;
  #path;
  #to;
  #on;
  #mailbox;
  #outbox = Promise.resolve();
  #isOpen = true;
  #isOffered = false;

  constructor(rest, callId, to, on, seen) {
    this.#rest = rest;
    this.#path = `calls/${encodeURIComponent(callId)}`;
    this.#to = to;
    this.#on = on;
    this.#mailbox = new Mailbox(rest, callId, (message) => this.#receive(message), seen);
  }

  /** Sequence number of the last message that came. */
  get seen() {
    return this.#mailbox.seen;
  }

  /** Takes a message that the socket brought. */
  push(message) {
    this.#mailbox.push(message);
  }

  /** How messages come from now on: by `push`, by `poll`, or `nothing`. */
  follow(how) {
    if (this.#isOpen) this.#mailbox.follow(how);
  }

  /** Sends a message when those before it are gone. */
  post(kind, payload) {
    this.#outbox = this.#outbox.then(async () => {
      if (!this.#isOpen) return;
      if (kind === "offer") this.#isOffered = true;
      try {
        await this.#send(kind, payload);
      } catch (error) {
        if (this.#isOpen) this.#on.unsent(kind, error);
      }
    });
    return this.#outbox;
  }

  /** Asks the service to do something with the call: `hold`, `dtmf`, ... */
  request(action, body) {
    return this.#rest.request("POST", `${this.#path}/${action}`, { body });
  }

  /** Sends and receives nothing more. */
  close() {
    this.#isOpen = false;
    this.#mailbox.close();
  }

  /**
   * Tells the far end, after `close`, that this side leaves; with `isWhole` the call ends with it,
   * as it does when the far end has never heard of it. Never rejects: whom this does not reach
   * sees by himself that nobody is there.
   */
  async leave(reason, { isWhole, isHeard = this.#isOffered }) {
    const away = this.#outbox; // an offer that is on its way must not come after its end
    let isTold = false;
    try {
      await away;
      if (isHeard) await this.#send("hangup", { reason }, true);
      isTold = isHeard;
    } catch {
      // It is asked to end the call instead.
    }
    if (isTold && !isWhole) return;
    await this.#rest
      .request("POST", `${this.#path}/end`, { isRepeatable: true, isLast: true })
      .catch(() => {});
  }

  #send(kind, payload, isLast = false) {
    return this.#rest.request("POST", `${this.#path}/signaling`, {
      body: { to_user: this.#to, message_type: kind, payload },
      isRepeatable: true, // a description or a candidate that comes twice changes nothing
      isLast,
    });
  }

  #receive({ message_type: kind, payload, from_user: from }) {
    if (this.#isOpen && from === this.#to) this.#on.message(kind, payload ?? {});
  }
}
