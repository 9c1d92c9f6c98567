// STUN and TURN servers, with credentials that expire.

const SHARE = 0.8; // of their time: a call must be able to begin with them
const LATE_MS = 3000;
const FEW_SECONDS = 30;

/** The ICE servers of the service, asked for once until they expire. */
export class IceServers {
  #rest;
  #policy;
  #loading = null;
  #loaded = { iceServers: [] };
  #until = 0;

  constructor(rest, policy) {
    this.#rest = rest;
    this.#policy = policy;
  }

  /** The servers, as `{ iceServers }`. Rejects with a VoipError where the service has not answered. */
  async load() {
    if (Date.now() < this.#until) return this.#loaded;
    this.#loading ??= this.#ask().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** The configuration of a peer connection, within 3 s: with the last servers if need be. */
  async configuration() {
    const loaded = Promise.race([
      this.load().catch(() => this.#loaded),
      new Promise((resolve) => {
        setTimeout(() => resolve(this.#loaded), LATE_MS);
      }),
    ]);
    return { ...(await loaded), iceTransportPolicy: this.#policy };
  }

  async #ask() {
    const answer = await this.#rest.request("GET", "ice-servers", { isRepeatable: true });
    const seconds = Math.max(FEW_SECONDS, answer.ttl_seconds * SHARE || 0);
    this.#loaded = { iceServers: answer.ice_servers };
    this.#until = Date.now() + seconds * 1000;
    return this.#loaded;
  }
}
