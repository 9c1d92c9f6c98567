// The peer connection of a call: offers, answers, candidates, and what to do when two offers meet.
//
// The rules of perfect negotiation: where both sides offer at once, the polite one takes its offer
// back. Only one description is worked on at a time.

import { VoipError } from "./errors.js";
import { sleep, within } from "./waiting.js";

const FIRST_CANDIDATE_MS = 50; // the gateway waits for one itself, for half a second
const STEP_MS = 10_000;
const MAX_EARLY_CANDIDATES = 100;
const CANDIDATE = /^(a=)?candidate:\S+ \d+ (\S+) \d+ (\S+)/i;

/** Whether Asterisk can use the candidate: it speaks UDP only, and asks no multicast DNS. */
export function isUsable(candidate) {
  const [, , transport, address] = CANDIDATE.exec(candidate) ?? [];
  return transport?.toLowerCase() === "udp" && !address.endsWith(".local");
}

/** A connection of no call yet: it looks for candidates, so that they are there for the offer. */
export function openConnection({ RTCPeerConnection }, configuration) {
  return new RTCPeerConnection({
    ...configuration,
    bundlePolicy: "max-bundle",
    iceCandidatePoolSize: 1,
  });
}

/**
 * The peer connection of a call.
 *
 * `send(kind, payload)` takes an offer, an answer or a candidate and never waits. `on` has
 * `track(track)`, `state(word)` of the connection, and `failed(error)` when a description does not
 * fit. With `isTrickled` all candidates are sent, else only what Asterisk needs: one that it can use.
 */
export class Peer {
  #pc;
  #isPolite;
  #isTrickled;
  #send;
  #on;
  #queue = Promise.resolve();
  #isBegun = false;
  #isPaused = false;
  #isClosed = false;
  #isRemoteSet = false;
  #early = [];
  #hasSentUsable = false;
  #isDescribed = false;
  #gathered;
  #isGathered;

  /** `connection` is from `openConnection`, and ours from now on. */
  constructor(connection, { isPolite, isTrickled, send, on }) {
    this.#isPolite = isPolite;
    this.#isTrickled = isTrickled;
    this.#send = send;
    this.#on = on;
    this.#isGathered = new Promise((resolve) => {
      this.#gathered = resolve;
    });
    this.#pc = connection;
    this.#pc.addEventListener("icecandidate", ({ candidate }) => this.#onCandidate(candidate));
    this.#pc.addEventListener("track", ({ track }) => on.track(track));
    this.#pc.addEventListener("connectionstatechange", () => on.state(this.#pc.connectionState));
    this.#pc.addEventListener("negotiationneeded", () => this.#onNeeded());
  }

  /** The RTCPeerConnection itself, for its statistics. */
  get connection() {
    return this.#pc;
  }

  /** The sender of this kind that has a track, or undefined. */
  sender(kind) {
    return this.#pc.getSenders().find(({ track }) => track?.kind === kind);
  }

  /** Whether the other side sends us sound, as far as the last descriptions say. */
  get isReceiving() {
    return this.#pc.getTransceivers().some(({ currentDirection, receiver }) =>
      receiver.track?.kind === "audio" && ["sendrecv", "recvonly"].includes(currentDirection));
  }

  /** Sends a track from now on; a negotiation follows once the call has begun. */
  addTrack(track, stream) {
    this.#pc.addTrack(track, stream);
    this.#isPaused = false;
  }

  removeTrack(sender) {
    this.#pc.removeTrack(sender);
    this.#isPaused = false;
  }

  /** Stops all media both ways, or lets it flow again; a negotiation follows. */
  setActive(isActive) {
    for (const transceiver of this.#pc.getTransceivers()) {
      if (transceiver.direction === "stopped") continue;
      transceiver.direction = isActive ? "sendrecv" : "inactive";
    }
    this.#isPaused = false;
  }

  /** Makes an offer and sends it, as soon as there is a candidate in it or after 50 ms. */
  offer() {
    this.#isBegun = true;
    return this.negotiate();
  }

  /** Offers what has changed, unless an offer is under way: the browser asks again after that. */
  negotiate() {
    this.#isPaused = false;
    return this.#step(async () => {
      if (this.#pc.signalingState !== "stable") return;
      await this.#describe("offer", await this.#pc.createOffer());
    });
  }

  /** Answers an offer; where ours has met it, the impolite side leaves it unanswered. */
  receiveOffer(description) {
    return this.#step(async () => {
      this.#isBegun = true;
      if (this.#pc.signalingState !== "stable") {
        if (!this.#isPolite) return;
        await this.#pc.setLocalDescription({ type: "rollback" });
      }
      await this.#pc.setRemoteDescription({ type: "offer", sdp: description.sdp });
      await this.#applyEarly();
      await this.#describe("answer", await this.#pc.createAnswer());
    });
  }

  /** Applies the answer to our offer; one that is not final may be followed by another. */
  receiveAnswer(description, isFinal = true) {
    return this.#step(async () => {
      const state = this.#pc.signalingState;
      if (state !== "have-local-offer" && state !== "have-remote-pranswer") return;
      const type = isFinal ? "answer" : "pranswer";
      await this.#pc.setRemoteDescription({ type, sdp: description.sdp });
      await this.#applyEarly();
    });
  }

  /** Takes a candidate in any of its spellings; what is none, or comes too late, is left out. */
  receiveCandidate(payload) {
    return this.#step(async () => {
      const candidate = readCandidate(payload);
      if (!candidate) return;
      if (this.#isRemoteSet) await this.#pc.addIceCandidate(candidate).catch(() => {});
      else if (this.#early.length < MAX_EARLY_CANDIDATES) this.#early.push(candidate);
    });
  }

  /**
   * Takes an offer in mid-call back that the other side does not want, and offers nothing until
   * `negotiate` or another change. Resolves to false when there was none to take back any more.
   */
  async cancelOffer() {
    let isDone = false;
    await this.#step(async () => {
      if (this.#pc.signalingState !== "have-local-offer" || !this.#isRemoteSet) return;
      this.#isPaused = isDone = true;
      await this.#pc.setLocalDescription({ type: "rollback" });
    });
    return isDone;
  }

  /** Looks for another way through the network; a negotiation follows. */
  restart() {
    this.#hasSentUsable = false;
    this.#pc.restartIce();
  }

  close() {
    this.#isClosed = true;
    this.#gathered();
    this.#pc.close();
  }

  #onNeeded() {
    // The first offer or answer is made when the call says so.
    if (this.#isBegun && !this.#isPaused) this.negotiate();
  }

  #onCandidate(candidate) {
    if (!candidate?.candidate) {
      this.#gathered();
      return;
    }
    if (isUsable(candidate.candidate)) this.#gathered();
    if (this.#isDescribed) this.#sendCandidate(candidate);
  }

  #sendCandidate(candidate) {
    if (!this.#isTrickled) {
      if (this.#hasSentUsable || !isUsable(candidate.candidate)) return;
      this.#hasSentUsable = true;
    }
    const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
    this.#send("ice_candidate", {
      candidate: candidate.candidate,
      sdpMid,
      sdpMLineIndex,
      usernameFragment: usernameFragment ?? null,
    });
  }

  async #describe(type, description) {
    this.#isDescribed = false;
    await this.#pc.setLocalDescription(description);
    await Promise.race([this.#isGathered, sleep(FIRST_CANDIDATE_MS)]);
    if (this.#isClosed) return;
    // By now the browser has written the candidates into it.
    const { sdp } = this.#pc.localDescription ?? description;
    this.#isDescribed = true;
    this.#hasSentUsable = sdp.split(/\r?\n/).some(isUsable);
    this.#send(type, { type, sdp });
  }

  async #applyEarly() {
    this.#isRemoteSet = true;
    for (const candidate of this.#early.splice(0)) {
      await this.#pc.addIceCandidate(candidate).catch(() => {});
    }
  }

  // One after another, and none of them for ever.
  #step(work) {
    const limited = () => (this.#isClosed ? undefined : within(STEP_MS, work(), "The media"));
    this.#queue = this.#queue.then(limited).catch((error) => {
      if (this.#isClosed) return;
      const message = `The media cannot be agreed upon: ${error.message}`;
      this.#on.failed(new VoipError("negotiation_failed", message, { cause: error }));
    });
    return this.#queue;
  }
}

function readCandidate(payload) {
  const nested = payload?.candidate;
  const flat = nested !== null && typeof nested === "object" ? nested : payload;
  if (typeof flat?.candidate !== "string" || !flat.candidate) return null;
  return {
    candidate: flat.candidate,
    sdpMid: flat.sdpMid ?? flat.sdp_mid ?? null,
    sdpMLineIndex: flat.sdpMLineIndex ?? flat.sdp_m_line_index ?? null,
    usernameFragment: flat.usernameFragment ?? undefined,
  };
}
