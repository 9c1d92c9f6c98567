// The library that the softphone's page builds on, as far as the page uses it, without a service.
//
// A test drives it by `window.fake`: `arrive(...)` makes somebody call, `calls` are those made, and
// each call's `now(state, ...)` has it go on. What the page asks for is noted in `window.fake.asked`.

class Emitter {
  #listeners = new Map();

  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return () => undefined;
  }

  emit(event, ...details) {
    for (const listener of this.#listeners.get(event) ?? []) listener(...details);
  }
}

class FakeCall extends Emitter {
  state = "initiating";
  remoteName = "";
  isMuted = false;
  isHeld = false;
  isSendingVideo = false;
  isSharingScreen = false;
  localStream = null;
  remoteStream = new MediaStream();
  videoStreams = [];
  connectedAt = null;
  end = null;
  quality = null;
  callType = "audio";

  constructor(fields) {
    super();
    Object.assign(this, fields);
    this.id = `call-${Math.random()}`;
  }

  now(state) {
    this.state = state;
    if (state === "connected") this.connectedAt ??= Date.now();
    this.emit(state);
  }

  finish(reason, fields = {}) {
    this.state = "ended";
    this.end = { reason, by: "them", seconds: 0, error: null, ...fields };
    this.emit("ended", this.end);
  }

  measure(quality) {
    this.quality = quality;
    this.emit("quality", quality);
  }

  picture() {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 640, height: 360 });
    const pen = canvas.getContext("2d");
    setInterval(() => {
      pen.fillStyle = `hsl(${(performance.now() / 50) % 360} 60% 40%)`;
      pen.fillRect(0, 0, 640, 360);
    }, 100);
    return canvas.captureStream(10);
  }

  show() {
    this.videoStreams = [...this.videoStreams, this.picture()];
    this.emit("track", this.remoteStream, "video");
  }

  async accept(options) {
    note("accept", options);
    if (window.fake.refusal) throw window.fake.refusal;
    if (!window.fake.isSlow) this.now("connected");
  }

  async reject() {
    note("reject");
    this.finish("refused", { by: "us" });
  }

  async hangup() {
    note("hangup");
    this.finish("ended", { by: "us", seconds: 7 });
  }

  async mute() {
    this.isMuted = true;
    this.emit("muted", true);
  }

  async unmute() {
    this.isMuted = false;
    this.emit("muted", false);
  }

  async hold() {
    this.isHeld = true;
    this.state = "held";
    this.emit("held", "us");
  }

  async resume() {
    this.isHeld = false;
    this.state = "connected";
    this.emit("resumed");
  }

  async dtmf(digits) {
    note("dtmf", digits);
  }

  async transfer(target) {
    note("transfer", target);
    if (window.fake.refusal) throw window.fake.refusal;
  }

  async startVideo(constraints) {
    note("startVideo", constraints);
    this.localStream = this.picture();
    this.isSendingVideo = true;
    this.emit("localtrack", this.localStream, "video");
  }

  async stopVideo() {
    this.isSendingVideo = false;
    this.emit("localtrack", this.localStream, "video");
  }

  async shareScreen() {
    this.isSharingScreen = true;
    await this.startVideo();
  }

  async stopScreen() {
    this.isSharingScreen = false;
    await this.stopVideo();
  }

  async useDevice(kind, deviceId) {
    note("useDevice", kind, deviceId);
  }
}

export class AsteriskVoIPClient extends Emitter {
  connection = "closed";
  people = [];
  known = [];
  calls = [];
  asked = [];
  refusal = null;
  #watchers = [];

  constructor({ token, gateway }) {
    super();
    this.token = token;
    this.gateway = gateway;
    window.fake = this;
    Object.assign(this, window.prepared);
  }

  async connect() {
    if ((await this.token({ refresh: false })) === "wrong") throw refusal("unauthorized");
    if (this.away) throw refusal("service_away");
    this.become("connected");
  }

  become(connection) {
    this.connection = connection;
    this.emit("connection", connection);
  }

  async close() {
    if (this.connection !== "closed") note("close");
    this.become("closed");
  }

  setToken(token) {
    this.token = token;
  }

  async call(target, options) {
    note("call", target, options.audio, options.video);
    if (this.refusal) throw this.refusal;
    if (this.isSlow) {
      await new Promise((resolve) => options.signal.addEventListener("abort", resolve));
      throw refusal("aborted");
    }
    return this.#made({ remoteNumber: target });
  }

  arrive(fields) {
    const call = new FakeCall({ direction: "incoming", state: "ringing", ...fields });
    this.calls.push(call);
    this.emit("incoming", call);
  }

  seen(user, status) {
    for (const watch of this.#watchers) watch({ user_id: user, status, status_message: null });
  }

  async devices() {
    return [{ kind: "audioinput", deviceId: "m1", label: "Headset" }];
  }

  presence = {
    get: async () => ({ user_id: "alice" }),
    list: async () => {
      if (this.away) throw refusal("service_away");
      return this.people;
    },
    subscribe: (_, listener) => {
      this.#watchers.push(listener);
      return () => undefined;
    },
    set: async (status) => {
      note("presence", status);
      return { user_id: "alice", status, status_message: null };
    },
  };

  rooms = {
    list: async () => {
      if (this.away) throw refusal("service_away");
      return [...this.known];
    },
    create: async (name, { number }) => {
      note("create", name);
      if (this.taken-- > 0) throw refusal("number_taken");
      const member = { user_id: "alice", number: "", is_moderator: true, is_muted: false };
      this.known.push({
        ...{ id: name, name, number, owner_id: "alice", participants: ["alice"] },
        ...{ max_participants: 20, is_locked: false, members: [member] },
      });
    },
    join: async (id) => {
      note("join", id);
      if (this.refusal) throw this.refusal;
      const call = this.#made({ remoteNumber: id });
      call.now("connected");
      return call;
    },
    leave: async (id) => note("leave", id),
    close: async (id) => {
      this.known = this.known.filter((room) => room.id !== id);
    },
  };

  #made(fields) {
    const call = new FakeCall({ direction: "outgoing", ...fields });
    this.calls.push(call);
    return call;
  }
}

window.refusal = refusal;

function refusal(code) {
  return Object.assign(new Error("the library's own words"), { code });
}

function note(...what) {
  window.fake.asked.push(what);
}
