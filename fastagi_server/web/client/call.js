// One call: its states, what the far end says, and what the user does.

import { capture, release } from "./capture.js";
import { Emitter } from "./emitter.js";
import { VoipError } from "./errors.js";
import { Leg } from "./leg.js";
import { Line } from "./line.js";
import { participantOf } from "./numbers.js";
import { openConnection } from "./peer.js";
import { sleep, Timers } from "./waiting.js";

export const ASTERISK = "asterisk";

const RING_MS = 180_000; // longer than any telephone system lets a phone ring
const ANSWER_MS = 15_000; // to an offer in mid-call
const FAREWELL_MS = 1500; // the reason of an end comes right before or after the end itself
const AGAIN_MS = 2000; // before an offer that met the far end's own is made again
const MAX_AGAIN = 3;
const GLARE = 491;
const MAX_EARLY_CANDIDATES = 100;
const KEY_MS = 160;
const KEY_GAP_MS = 60;

const REASONS = new Set([
  "busy", "no_answer", "unreachable", "unknown", "refused", "cancelled", "ended", "media_failed",
  "gateway_lost", "left", "answered_elsewhere",
]);
const NOBODYS = new Set(["media_failed", "gateway_lost", "left", "answered_elsewhere"]);
const AWAY = new Set(["gateway_unavailable", "pbx_unreachable", "service_away", "timeout"]);

/**
 * A call. Users have it from `client.call()` or the event `incoming`; its events are those of
 * `CallEvents` in sge-voip.d.ts.
 *
 * `service` is what the client lends it: `rest`, `media`, `configuration()` of peer connections
 * (which never rejects), and `forget(call)`, which is called at the end.
 */
export class Call extends Emitter {
  #service;
  #line;
  #leg;
  #state;
  #timers = new Timers();
  #offer = null; // of an incoming call until it is accepted, and the candidates that came after it
  #early = [];
  #isAccepting = false;
  #isAnswered = false;
  #isHeldByThem = false;
  #agains = 0;

  constructor(service, { id, direction, peer, callType, number = "", name = "", seen = 0 }) {
    super();
    this.#service = service;
    this.id = id;
    this.direction = direction;
    this.isDirect = peer !== ASTERISK;
    this.callType = callType;
    this.remoteNumber = number;
    this.remoteName = name;
    this.isMuted = false;
    this.isHeld = false;
    this.connectedAt = null;
    this.end = null;
    this.quality = null;
    this.#state = direction === "incoming" ? "ringing" : "initiating";
    this.#line = new Line(service.rest, id, peer, {
      message: (kind, payload) => this.#handlers[kind]?.(payload),
      unsent: (kind, error) => this.#onUnsent(kind, error),
    }, seen);
    this.#leg = new Leg(service.media, this.#legEvents());
    this.#timers.set("ring", RING_MS, () => this.#leave("no_answer"));
  }

  get state() {
    if (this.#state !== "connected") return this.#state;
    return this.isHeld || this.#isHeldByThem ? "held" : "connected";
  }

  get isSendingVideo() {
    return this.#leg.sending?.hasVideo ?? false;
  }

  get isSharingScreen() {
    return this.#leg.sending?.isSharingScreen ?? false;
  }

  get localStream() {
    return this.#leg.sending?.stream ?? null;
  }

  get remoteStream() {
    return this.#leg.receiving.stream;
  }

  get videoStreams() {
    return this.#leg.receiving.pictures;
  }

  // For the client that the call belongs to.

  /** Messages of the far end come in here. */
  get line() {
    return this.#line;
  }

  /** Makes the outgoing call: with a stream, whether it is ours to stop, and a connection. */
  begin(media) {
    this.#open(media);
    this.#leg.peer.offer();
  }

  /** Takes what the service says of the call now. */
  update(record) {
    if (record.status === "ended") {
      this.#timers.set("farewell", FAREWELL_MS, () => this.#finish("ended", "them"));
    } else if (!this.isDirect && this.connectedAt !== null && !this.isHeld) {
      this.#setHeldByThem(record.status === "on_hold");
    }
  }

  /** Lets go of it without a word: other pages of the same user may have it, or still ring. */
  drop(reason = "answered_elsewhere") {
    this.#finish(reason, null);
  }

  // What the user does.

  async accept({ video = false, audio = true, stream, isTaken = !stream } = {}) {
    if (this.direction !== "incoming" || this.#isAccepting) return;
    this.#mustBeGoingOn();
    this.#isAccepting = true;
    const media = { stream, isTaken };
    try {
      const configuring = this.#service.configuration();
      media.stream ??= await capture(this.#service.media, { audio, video });
      const configuration = await configuring;
      if (this.isDirect) await this.#line.request("accept");
      this.#mustBeGoingOn();
      media.connection = openConnection(this.#service.media, configuration);
    } catch (error) {
      if (media.isTaken) release(media.stream);
      this.#isAccepting = false;
      throw error;
    }
    this.#open(media);
    this.#onAnswered();
    this.#leg.peer.receiveOffer(this.#offer);
    for (const candidate of this.#early.splice(0)) this.#leg.peer.receiveCandidate(candidate);
  }

  async reject() {
    await this.#leave("refused");
  }

  async hangup() {
    if (this.#isAnswered) await this.#leave("ended");
    else await this.#leave(this.direction === "incoming" ? "refused" : "cancelled");
  }

  async mute() {
    await this.#setMuted(true);
  }

  async unmute() {
    await this.#setMuted(false);
  }

  async hold() {
    this.#mustBeConnected();
    if (this.isHeld) return;
    this.isHeld = true; // the service may tell of it before it answers
    try {
      if (this.isDirect) this.#leg.peer.setActive(false);
      else await this.#line.request("hold", {});
    } catch (error) {
      this.isHeld = false;
      throw error;
    }
    this.#hush();
    this.emit("held", "us");
  }

  async resume() {
    this.#mustBeConnected();
    if (!this.isHeld) return;
    if (this.isDirect) this.#leg.peer.setActive(true);
    else await this.#line.request("unhold");
    this.isHeld = false;
    this.#hush();
    this.emit("resumed");
  }

  async dtmf(digits) {
    this.#mustBeConnected();
    if (!/^[0-9A-Da-d*#]{1,64}$/.test(digits)) {
      throw new VoipError("invalid_request", "Keys are 0 to 9, A to D, * and #");
    }
    const { keys } = this.#leg.sending;
    // What is still to be pressed is not lost by more of it.
    if (keys) keys.insertDTMF(`${keys.toneBuffer ?? ""}${digits}`, KEY_MS, KEY_GAP_MS);
    else await this.#line.request("dtmf", { digits });
  }

  async transfer(target) {
    this.#mustBeConnected();
    await this.#line.request("transfer", { to: participantOf(target) });
  }

  async startVideo(constraints) {
    this.#mustBeConnected();
    await this.#leg.sending.startVideo(constraints);
  }

  async stopVideo() {
    await this.#leg.sending?.stopVideo();
  }

  async shareScreen() {
    this.#mustBeConnected();
    await this.#leg.sending.shareScreen();
  }

  async stopScreen() {
    await this.#leg.sending?.stopScreen();
  }

  async useDevice(kind, deviceId) {
    this.#mustBeConnected();
    await this.#leg.sending.useDevice(kind, deviceId);
  }

  async #setMuted(isMuted) {
    if (this.isMuted === isMuted || this.#state === "ended") return;
    this.isMuted = isMuted;
    this.#hush();
    this.emit("muted", isMuted);
    if (this.connectedAt !== null) await this.#line.post(isMuted ? "mute" : "unmute", {});
  }

  #hush() {
    this.#leg.setAudible(!this.isMuted && !this.isHeld);
  }

  #mustBeGoingOn() {
    if (this.#state === "ended") throw new VoipError("call_ended", "The call has ended");
  }

  #mustBeConnected() {
    this.#mustBeGoingOn();
    if (this.connectedAt === null) {
      throw new VoipError("wrong_state", "The call is not connected yet");
    }
  }

  // What the far end says.

  #handlers = {
    ringing: () => {
      if (this.#state !== "initiating") return;
      this.#state = "ringing";
      this.emit("ringing");
    },
    progress: (description) => {
      this.#leg.peer?.receiveAnswer(description, false);
      this.emit("progress");
    },
    answer: (description) => {
      this.#timers.clear("answer");
      if (description.type === "rollback") {
        this.#takeBack(refusedChange(description.status));
        return;
      }
      this.#agains = 0;
      this.#leg.peer?.receiveAnswer(description);
      if (!this.#isAnswered) this.#onAnswered();
    },
    offer: async (description) => {
      if (!this.#leg.peer) {
        this.#offer = description;
        return;
      }
      await this.#leg.peer.receiveOffer(description);
      if (this.isDirect && this.#state === "connected") {
        this.#setHeldByThem(!this.isHeld && !this.#leg.peer.isReceiving);
      }
    },
    ice_candidate: (payload) => {
      if (this.#leg.peer) this.#leg.peer.receiveCandidate(payload);
      else if (this.#early.length < MAX_EARLY_CANDIDATES) this.#early.push(payload);
    },
    hangup: (payload) => {
      if (payload.reason === "answered_elsewhere" && this.#isAnswered) return; // that was here
      const reason = REASONS.has(payload.reason) ? payload.reason : "ended";
      this.#finish(reason, NOBODYS.has(reason) ? null : "them", payload);
    },
    mute: () => this.emit("peermuted", true),
    unmute: () => this.emit("peermuted", false),
  };

  #onAnswered() {
    this.#isAnswered = true;
    this.#timers.clear("ring");
    this.#leg.answered();
  }

  #setHeldByThem(isHeld) {
    if (isHeld === this.#isHeldByThem) return;
    this.#isHeldByThem = isHeld;
    if (isHeld) this.emit("held", "them");
    else this.emit("resumed");
  }

  // What becomes of the media.

  #open(media) {
    const isPolite = !this.isDirect || this.direction === "incoming";
    this.#leg.open(media, { isPolite, isTrickled: this.isDirect });
  }

  #legEvents() {
    return {
      send: (kind, payload) => this.#send(kind, payload),
      track: (kind) => this.emit("track", this.remoteStream, kind),
      localtrack: (kind) => this.emit("localtrack", this.localStream, kind),
      connected: () => this.#onConnected(),
      reconnecting: () => this.emit("reconnecting"),
      quality: (quality) => {
        this.quality = quality;
        this.emit("quality", quality);
      },
      lost: () => this.#leave("media_failed"),
      failed: (error) => {
        if (this.connectedAt === null) this.#leave("media_failed", error);
        else this.emit("error", error);
      },
    };
  }

  #onConnected() {
    if (this.connectedAt === null) {
      this.connectedAt = Date.now();
      this.#state = "connected";
      if (this.isMuted) this.#line.post("mute", {});
    }
    this.emit("connected");
  }

  // Offers, answers and candidates on their way.

  #send(kind, payload) {
    if (kind === "offer" && this.#isAnswered) {
      const tooLate = new VoipError("timeout", "The far end did not answer a change in time");
      this.#timers.set("answer", ANSWER_MS, () => this.#takeBack(tooLate));
    }
    this.#line.post(kind, payload);
  }

  #onUnsent(kind, error) {
    if (kind === "ice_candidate") return; // others may do
    if (kind === "offer" && this.#isAnswered) {
      this.#takeBack(error);
    } else if (kind === "answer" && error.code === "wrong_state" && this.connectedAt === null) {
      this.#finish("answered_elsewhere", null);
    } else if ((kind === "offer" || kind === "answer") && this.connectedAt === null) {
      this.#leave(AWAY.has(error.code) ? "gateway_lost" : "failed", error);
    } else {
      this.emit("error", error);
    }
  }

  // The far end would not hear of a change: its own has met ours, or it cannot.
  async #takeBack(error) {
    this.#timers.clear("answer");
    if (!(await this.#leg.peer.cancelOffer())) return;
    this.#agains += 1;
    if (error.code !== "wrong_state" || this.#agains > MAX_AGAIN) {
      this.emit("error", error);
      return;
    }
    await sleep(AGAIN_MS);
    this.#leg.peer.negotiate();
  }

  // The end.

  async #leave(reason, error = null) {
    if (this.#state === "ended") return;
    const isOurs = error === null && !NOBODYS.has(reason);
    const isHeard = this.direction === "incoming" || undefined;
    this.#finish(reason, isOurs ? "us" : null, {}, error);
    await this.#line.leave(reason, { isWhole: this.isDirect, isHeard });
  }

  #finish(reason, by, { status = null, cause = null } = {}, error = null) {
    if (this.#state === "ended") return;
    const seconds = this.connectedAt === null ? 0 : (Date.now() - this.connectedAt) / 1000;
    this.#state = "ended";
    this.end = { reason, by, status, cause, seconds, error };
    this.#timers.clearAll();
    this.#line.close();
    this.#leg.close();
    this.#service.forget(this);
    this.emit("ended", this.end);
  }
}

// Two offers that meet are tried again; of what cannot be, the user hears.
function refusedChange(status) {
  return status === GLARE
    ? new VoipError("wrong_state", "Both sides changed the call at once", { status })
    : new VoipError("negotiation_failed", "The far end refused a change of the call", { status });
}
