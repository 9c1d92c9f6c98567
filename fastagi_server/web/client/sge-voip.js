// Calls from a browser over the SGE VoIP API. The one module to import; types are in sge-voip.d.ts.
//
//     const client = new AsteriskVoIPClient({ token });
//     await client.connect();
//     const call = await client.call("1001");
//     call.on("track", (stream) => { audio.srcObject = stream; });

import { ASTERISK, Call } from "./call.js";
import { capture, release } from "./capture.js";
import { Emitter } from "./emitter.js";
import { VoipError } from "./errors.js";
import { IceServers } from "./ice.js";
import { Incoming } from "./incoming.js";
import { participantOf } from "./numbers.js";
import { openConnection } from "./peer.js";
import { Presence } from "./presence.js";
import { Credentials, newKey, Rest } from "./rest.js";
import { Rooms } from "./rooms.js";
import { Socket } from "./socket.js";
import { aborted, within } from "./waiting.js";

export { VoipError };

// How messages of calls come. Whose token is refused does not count as there while he asks: his
// calls end in time.
const WAYS = { connected: "push", unauthorized: "nothing" };
const wayIn = (state) => WAYS[state] ?? "poll";

const CONNECT_MS = 30_000;
const IDLE = new Set(["closed", "unauthorized"]);

/**
 * A user's telephone. `options` are `ClientOptions` in sge-voip.d.ts: `baseUrl`, `token`, and
 * `media` with the WebRTC classes where they are no globals, as in React Native.
 */
export class AsteriskVoIPClient extends Emitter {
  #media;
  #credentials;
  #rest;
  #ice;
  #socket;
  #service;
  #incoming;
  #calls = new Map();

  constructor({ baseUrl, token, media, iceTransportPolicy = "all", gateway = "sge-gateway" }) {
    super();
    const base = (baseUrl ?? globalThis.location?.origin ?? "").replace(/\/+$/, "");
    this.#media = { ...ownMedia(), ...media };
    this.#credentials = new Credentials(token);
    this.#rest = new Rest(base, this.#credentials, this.#media.fetch);
    this.#ice = new IceServers(this.#rest, iceTransportPolicy);
    this.#socket = new Socket(base, this.#credentials, this.#media.WebSocket, {
      state: (state) => this.#onConnection(state),
      frame: (frame) => this.#handlers[frame.type]?.(frame),
      isRefused: () => this.#isRefused(),
    });
    this.#service = {
      rest: this.#rest,
      media: this.#media,
      configuration: () => this.#ice.configuration(),
      forget: (call) => this.#forget(call),
    };
    this.#incoming = new Incoming(this.#service, {
      calls: this.#calls,
      gateway,
      rings: (call) => this.emit("incoming", call),
      added: (call) => this.#add(call),
    });
    this.connection = "closed";
    this.presence = new Presence(this.#rest, this.#socket);
    this.rooms = new Rooms(this.#rest, (...details) => this.#enter(...details));
    // A page that is left says so; otherwise the others would listen to nobody for ten seconds.
    globalThis.addEventListener?.("pagehide", () => this.#hangUpAll());
  }

  /** Who the service says that this is; null until it has said so. */
  get userId() {
    return this.#incoming.userId;
  }

  /** The calls that go on, by id. */
  get calls() {
    return this.#calls;
  }

  async connect() {
    await this.#ice.load();
    if (IDLE.has(this.connection)) this.#socket.start();
    if (this.connection === "connecting") {
      await within(CONNECT_MS, this.#nextConnection(), "The connection");
    }
    if (this.connection === "unauthorized") {
      throw new VoipError("unauthorized", "The token is refused");
    }
  }

  async close() {
    await this.#hangUpAll();
    this.#socket.stop();
  }

  setToken(token) {
    this.#credentials.replace(token);
    if (this.connection !== "closed") this.#socket.start();
  }

  async iceServers() {
    return (await this.#ice.load()).iceServers;
  }

  async devices() {
    return (await this.#media.mediaDevices?.enumerateDevices?.()) ?? [];
  }

  async call(target, options = {}) {
    const participant = options.direct ? target.trim() : participantOf(target);
    const creating = this.initiateCall([participant], options.video ? "video" : "audio", options);
    return this.#begin(creating, { ...options, target });
  }

  async initiateCall(participants, callType = "audio", { direct = false, metadata = {} } = {}) {
    return this.#rest.request("POST", "calls", {
      // The caller's own leg is this browser: nobody is rung before its offer is there.
      body: {
        participants,
        call_type: callType,
        metadata: { ...metadata, caller_leg: direct ? "direct" : "webrtc" },
      },
      key: newKey(),
      isRepeatable: true,
    });
  }

  async setupWebRTC(callId, options = {}) {
    const known = this.#calls.get(callId);
    if (known) return known;
    const path = `calls/${encodeURIComponent(callId)}`;
    return this.#begin(this.#rest.request("GET", path, { isRepeatable: true }), options);
  }

  async sendSignaling(callId, messageType, payload = {}, toUser = ASTERISK) {
    return this.#rest.request("POST", `calls/${encodeURIComponent(callId)}/signaling`, {
      body: { to_user: toUser, message_type: messageType, payload },
    });
  }

  async accept(callId, options) {
    return this.#known(callId).accept(options);
  }

  async reject(callId) {
    return this.#known(callId).reject();
  }

  async hangup(callId) {
    return this.#known(callId).hangup();
  }

  async mute(callId) {
    return this.#known(callId).mute();
  }

  async unmute(callId) {
    return this.#known(callId).unmute();
  }

  async hold(callId) {
    return this.#known(callId).hold();
  }

  async resume(callId) {
    return this.#known(callId).resume();
  }

  async dtmf(callId, digits) {
    return this.#known(callId).dtmf(digits);
  }

  async transfer(callId, target) {
    return this.#known(callId).transfer(target);
  }

  // Everything that takes time goes on at once: the record, the microphone, the ICE servers.
  async #begin(creating, options) {
    const { stream: given, signal } = options;
    const capturing = given ? Promise.resolve(given) : capture(this.#media, options);
    const connecting = this.#connection(capturing);
    const all = Promise.all([creating, capturing, connecting]);
    try {
      const [record, stream, connection] = await Promise.race([all, aborted(signal)]);
      const call = this.#outgoing(record, options);
      call.begin({ stream, isTaken: !given, connection });
      return call;
    } catch (error) {
      all.catch(() => {}); // may fail for another reason as well
      if (!given) capturing.then(release, () => {});
      connecting.then((connection) => connection.close(), () => {});
      creating.then(({ id }) => this.#abandon(id), () => {});
      throw error;
    }
  }

  // A browser shows the machine's addresses only to pages that may use the microphone.
  async #connection(capturing) {
    const [configuration] = await Promise.all([this.#ice.configuration(), capturing]);
    return openConnection(this.#media, configuration);
  }

  #outgoing(record, { target, direct = false }) {
    const [participant] = record.participants;
    const call = new Call(this.#service, {
      id: record.id,
      direction: "outgoing",
      peer: direct ? participant : ASTERISK,
      callType: record.call_type,
      number: target ?? participant,
    });
    this.#add(call);
    return call;
  }

  #abandon(callId) {
    const path = `calls/${encodeURIComponent(callId)}/end`;
    return this.#rest.request("POST", path, { isRepeatable: true }).catch(() => {});
  }

  // Asterisk calls whoever joins a room: that call is answered with what was captured for it.
  async #enter(roomId, join, { stream: given, signal, ...options }) {
    if (this.connection !== "connected") {
      throw new VoipError("service_away", "A room can be joined while the service is connected");
    }
    const stream = given ?? (await capture(this.#media, options));
    try {
      return await this.#incoming.enter(roomId, join, { stream, isTaken: !given }, signal);
    } catch (error) {
      if (!given) release(stream);
      throw error;
    }
  }

  #known(callId) {
    const call = this.#calls.get(callId);
    if (!call) throw new VoipError("not_found", "There is no such call here");
    return call;
  }

  #add(call) {
    this.#calls.set(call.id, call);
    if (this.connection !== "connected") call.line.follow(wayIn(this.connection));
  }

  #forget(call) {
    if (this.#calls.get(call.id) === call) this.#calls.delete(call.id);
    this.#incoming.over(call.id, call.line.seen);
  }

  #hangUpAll() {
    // What rings here may still be answered on another page.
    const isOnlyRinging = ({ direction, state }) => direction === "incoming" && state === "ringing";
    return Promise.all([...this.#calls.values()].map((call) =>
      isOnlyRinging(call) ? call.drop("left") : call.hangup()));
  }

  async #isRefused() {
    try {
      await this.presence.get();
      return false;
    } catch ({ status }) {
      return status === 401;
    }
  }

  #nextConnection() {
    return new Promise((resolve) => {
      const stop = this.on("connection", () => {
        stop();
        resolve();
      });
    });
  }

  #onConnection(state) {
    if (state === this.connection) return;
    const way = wayIn(state);
    const isAnother = way !== wayIn(this.connection);
    this.connection = state;
    if (isAnother) for (const call of this.#calls.values()) call.line.follow(way);
    if (state === "connected") {
      this.presence.renew();
      this.#incoming.lookForMissed();
    }
    this.emit("connection", state);
  }

  #handlers = {
    __proto__: null, // a frame of type "toString" is none
    Signaling: ({ type, ...message }) => {
      const call = this.#calls.get(message.call_id);
      if (call) call.line.push(message);
      else this.#incoming.receive(message);
    },
    Call: ({ call: record }) => {
      this.#calls.get(record.id)?.update(record);
      this.emit("callchange", record);
    },
    PresenceStatus: ({ type, ...status }) => {
      this.presence.pass(status);
      this.emit("presence", status);
    },
    Notification: ({ title, message, level }) =>
      this.emit("notification", { title, message, level }),
  };
}

function ownMedia() {
  const { RTCPeerConnection, MediaStream, WebSocket, navigator } = globalThis;
  const fetch = (...request) => globalThis.fetch(...request);
  return { RTCPeerConnection, MediaStream, WebSocket, fetch, mediaDevices: navigator?.mediaDevices };
}
