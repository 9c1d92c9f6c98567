// A page that telephones: the library, one client, and what the last call has told.

window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...details) {
    super(...details);
    near.peer = this;
  }
};

window.near = {
  peer: null,
  told: [],
  states: [],

  async start(options) {
    Object.assign(window, await import("/client/sge-voip.js"));
    window.client = new AsteriskVoIPClient(options);
    client.on("connection", (state) => this.states.push(state));
    client.on("incoming", (call) => {
      this.told.push(["incoming", call.remoteNumber, call.remoteName, call.callType]);
      this.watch(call);
    });
    await client.connect();
  },

  watch(call) {
    window.call = call;
    for (const name of ["ringing", "progress", "connected", "held", "resumed", "muted",
      "peermuted", "reconnecting"]) {
      call.on(name, (...details) => this.told.push([name, ...details]));
    }
    call.on("error", ({ code }) => this.told.push(["error", code]));
    call.on("ended", ({ reason, by }) => this.told.push(["ended", reason, by]));
    return call.id;
  },

  has(event) {
    const wanted = JSON.stringify(event);
    return this.told.some((each) => JSON.stringify(each) === wanted);
  },

  // The code of what a promise rejects with.
  refusal(work) {
    return work().then(() => "none", ({ code }) => code);
  },

  // From now on everything that is waited for comes fifty times as soon.
  shorten() {
    const { setTimeout: wait } = window;
    window.setTimeout = (work, ms = 0, ...rest) => wait(work, ms / 50, ...rest);
  },

  // A picture that moves, as a screen or a camera would be.
  picture() {
    const canvas = document.createElement("canvas");
    const drawing = canvas.getContext("2d");
    setInterval(() => {
      drawing.fillStyle = `hsl(${performance.now() % 360} 90% 50%)`;
      drawing.fillRect(0, 0, canvas.width, canvas.height);
    }, 50);
    return canvas.captureStream(20);
  },
};
