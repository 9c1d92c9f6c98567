// The media of a call: what is sent and received, and whether it gets through.

import { Peer } from "./peer.js";
import { Sampler } from "./quality.js";
import { Receiving } from "./receiving.js";
import { Sending } from "./sending.js";
import { Timers } from "./waiting.js";

const CONNECT_MS = 20_000;
const RESTART_MS = 4000; // most interruptions of a network are shorter

/**
 * The media of one call. `open` begins them, `answered` says that they must get through now.
 *
 * `on` has `send(kind, payload)` for the far end, `track(kind)` and `localtrack(kind)`,
 * `connected()` each time they get through, `reconnecting()` when they do not any more,
 * `quality(sample)`, `lost()` when they are given up, and `failed(error)` when a description
 * does not fit.
 */
export class Leg {
  #media;
  #on;
  #sending = null;
  #peer = null;
  #receiving;
  #sampler = null;
  #timers = new Timers();
  #isAnswered = false;
  #isAudible = true;

  constructor(media, on) {
    this.#media = media;
    this.#on = on;
    this.#receiving = new Receiving(media, on.track);
  }

  get sending() {
    return this.#sending;
  }

  get receiving() {
    return this.#receiving;
  }

  /** Descriptions and candidates are for this; null before `open`. */
  get peer() {
    return this.#peer;
  }

  /**
   * Sends this stream over this connection; `isTaken` where the stream was captured for this call,
   * and is stopped with it.
   */
  open({ stream, isTaken, connection }, { isPolite, isTrickled }) {
    this.#sending = new Sending(this.#media, stream, isTaken, this.#on.localtrack);
    this.#peer = new Peer(connection, {
      isPolite,
      isTrickled,
      send: this.#on.send,
      on: {
        track: (track) => this.#receiving.add(track),
        state: () => this.#onState(),
        failed: this.#on.failed,
      },
    });
    this.#sending.attach(this.#peer);
    this.#sending.setAudible(this.#isAudible);
    this.#on.localtrack(this.#sending.hasVideo ? "video" : "audio");
  }

  /** The far end has answered, or is answered: media must get through within 20 s. */
  answered() {
    this.#isAnswered = true;
    this.#timers.set("connect", CONNECT_MS, this.#on.lost);
    this.#onState();
  }

  /** Lets our microphone be heard, or sends silence. */
  setAudible(isAudible) {
    this.#isAudible = isAudible;
    this.#sending?.setAudible(isAudible);
  }

  close() {
    this.#timers.clearAll();
    this.#sampler?.stop();
    this.#peer?.close();
    this.#sending?.release();
  }

  #onState() {
    const state = this.#peer?.connection.connectionState;
    if (state === "connected" && this.#isAnswered) this.#onConnected();
    else if (this.#sampler && (state === "disconnected" || state === "failed")) {
      this.#onInterrupted(state);
    } else if (state === "failed") this.#on.lost();
  }

  #onConnected() {
    this.#timers.clearAll();
    this.#sampler ??= new Sampler(this.#peer.connection, this.#on.quality);
    this.#on.connected();
  }

  #onInterrupted(state) {
    if (!this.#timers.has("connect")) {
      this.#timers.set("connect", CONNECT_MS, this.#on.lost);
      this.#on.reconnecting();
    }
    this.#timers.set("restart", state === "failed" ? 0 : RESTART_MS, () => this.#peer.restart());
  }
}
