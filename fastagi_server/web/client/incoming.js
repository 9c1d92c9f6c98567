// Calls that come in: what rings here, and what only looks like it.

import { ASTERISK, Call } from "./call.js";
import { VoipError } from "./errors.js";
import { aborted, within } from "./waiting.js";

const MAX_REMEMBERED = 100;
const MAX_MISSED = 5;
const ENTER_MS = 30_000;
const RINGING = new Set(["initiating", "ringing"]);

/**
 * Finds out which offers are new calls. `on` has `calls` (by id), `rings(call)`, `added(call)` and
 * the name of the `gateway` endpoint that Asterisk rings users by.
 */
export class Incoming {
  #service;
  #on;
  #seen = new Map(); // of calls that are over here: the last message
  #entering = null;

  constructor(service, on) {
    this.#service = service;
    this.#on = on;
    this.userId = null;
  }

  /** A call is over, and what its mailbox has up to this message is no news. */
  over(callId, seen) {
    this.#seen.delete(callId);
    this.#seen.set(callId, seen);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) break;
      this.#seen.delete(oldest);
    }
  }

  /** Takes a message of a call that is not known here. */
  async receive(message) {
    this.userId = message.to_user;
    const { call_id: id, payload, sequence_number: number } = message;
    // An offer in mid-call is for the page that has the call.
    const isNew = message.message_type === "offer" && !payload.renegotiation;
    if (!isNew || number <= (this.#seen.get(id) ?? 0)) return;
    const call = this.#open(message);
    // Another user may write any room into his offer: only Asterisk is answered unasked.
    const isFromAsterisk = message.from_user === ASTERISK;
    if (isFromAsterisk && this.#entering && payload.room_id === this.#entering.roomId) {
      this.#entering.rung(call);
      return;
    }
    const isOurs = await this.#describe(call, message).catch(() => false);
    if (isOurs || call.state === "ended") call.drop();
    else this.#on.rings(call);
  }

  /** Looks for calls that began to ring while the socket was away. */
  async lookForMissed() {
    try {
      const records = await this.#service.rest.request("GET", "calls", { isRepeatable: true });
      const missed = records.filter(({ id, status, caller_id: caller }) =>
        RINGING.has(status) && caller !== this.userId && !this.#on.calls.has(id));
      for (const { id } of missed.slice(0, MAX_MISSED)) await this.#readMissed(id);
    } catch {
      // It is looked for again when the socket comes the next time.
    }
  }

  /** Has Asterisk ring us into a room (`join`), and answers with what was captured. */
  async enter(roomId, join, { stream, isTaken }, signal) {
    const userId = await this.#whoAmI();
    if (this.#entering) throw new VoipError("wrong_state", "Another room is being joined");
    try {
      const ringing = new Promise((rung) => {
        this.#entering = { roomId, rung };
      });
      const joined = join(`PJSIP/${seatOf(userId)}@${this.#on.gateway}`);
      const waiting = Promise.all([ringing, joined]).then(([call]) => call);
      const call = await Promise.race([within(ENTER_MS, waiting, "The room"), aborted(signal)]);
      await call.accept({ stream, isTaken });
      return call;
    } finally {
      this.#entering = null;
    }
  }

  #open(message) {
    const { payload, from_user: peer } = message;
    const call = new Call(this.#service, {
      id: message.call_id,
      direction: "incoming",
      peer,
      callType: "audio",
      number: payload.caller_number ?? (peer === ASTERISK ? "" : peer),
      name: payload.caller_name ?? "",
      seen: message.sequence_number - 1,
    });
    this.#on.added(call);
    call.line.push(message);
    return call;
  }

  // What the offer does not say; whether the call is one that this user makes on another page.
  async #describe(call, { to_user: userId, from_user: peer }) {
    const path = `calls/${encodeURIComponent(call.id)}`;
    const record = await this.#service.rest.request("GET", path, { isRepeatable: true });
    call.callType = record.call_type;
    call.remoteNumber ||= record.metadata.caller_id ?? record.caller_id;
    call.remoteName ||= record.metadata.caller_name ?? "";
    return peer === ASTERISK && record.caller_id === userId;
  }

  async #readMissed(id) {
    const path = `calls/${encodeURIComponent(id)}/signaling?after=${this.#seen.get(id) ?? 0}`;
    const messages = await this.#service.rest.request("GET", path, { isRepeatable: true });
    const kinds = messages.map(({ message_type: kind }) => kind);
    const last = kinds.lastIndexOf("offer");
    if (last <= kinds.lastIndexOf("hangup") || this.#on.calls.has(id)) return;
    const [offer, ...later] = messages.slice(last);
    this.receive(offer);
    for (const message of later) this.#on.calls.get(id)?.line.push(message);
  }

  async #whoAmI() {
    if (this.userId === null) {
      const presence = await this.#service.rest.request("GET", "presence", { isRepeatable: true });
      this.userId = presence.user_id;
    }
    return this.userId;
  }
}

/** A user id as Asterisk dials it: what its dial strings cannot hold is written in hexadecimal. */
function seatOf(userId) {
  return userId.replace(/[^A-Za-z0-9._+-]/g, (character) =>
    `~${character.codePointAt(0).toString(16).padStart(2, "0")}`);
}
