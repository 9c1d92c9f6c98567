// The page of one user in the tests of calls: a client of the shipped module, a tone in place of
// the microphone, ears that know one tone from another, and a list of what happened.

window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...details) {
    super(...details);
    window.connections.push(this);
  }
};

window.stage = {
  happened: [],
  client: null,
  call: null,
  audio: null,
  ears: null,

  note(name, ...details) {
    this.happened.push([name, ...details]);
  },

  // Says whether a condition came true in time, looking every 50 ms.
  async until(condition, milliseconds) {
    const end = performance.now() + milliseconds;
    while (!(await condition())) {
      if (performance.now() > end) return false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return true;
  },

  // Signs in; with `spare` there is another token once the first is refused.
  async signIn(token, spare) {
    const { AsteriskVoIPClient } = await import("/client/sge-voip.js");
    const source = spare ? ({ refresh }) => (refresh ? spare : token) : token;
    this.client = new AsteriskVoIPClient({ token: source });
    this.client.on("connection", (state) => this.note("connection", state));
    this.client.on("incoming", (call) => {
      this.note("incoming", call.remoteNumber, call.remoteName);
      this.follow(call);
    });
    await this.client.connect();
  },

  follow(call) {
    this.call = call;
    for (const name of ["ringing", "progress", "connected", "held", "resumed", "reconnecting"]) {
      call.on(name, (...details) => this.note(name, ...details));
    }
    call.on("track", (stream) => this.listen(stream));
    call.on("error", (error) => this.note("error", error.code, error.message));
    call.on("ended", ({ reason, by, status, cause, error }) =>
      this.note("ended", reason, by, status, cause, error && `${error.code} ${error.message}`),
    );
    if (call.remoteStream) this.listen(call.remoteStream);
  },

  async dial(target, options) {
    this.follow(await this.client.call(target, options));
    return this.call.id;
  },

  // A stream with this one tone, and a picture when asked for.
  speak(hertz, picture) {
    this.audio ??= new AudioContext();
    const tone = new OscillatorNode(this.audio, { frequency: hertz });
    const loudness = new GainNode(this.audio, { gain: 0.4 });
    const out = new MediaStreamAudioDestinationNode(this.audio, { channelCount: 1 });
    tone.connect(loudness).connect(out);
    tone.start();
    if (picture) out.stream.addTrack(this.draw());
    return out.stream;
  },

  draw() {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const context = canvas.getContext("2d");
    let turn = 0;
    setInterval(() => {
      context.fillStyle = `hsl(${(turn += 7) % 360} 80% 50%)`;
      context.fillRect(0, 0, 320, 240);
    }, 50);
    return canvas.captureStream(20).getVideoTracks()[0];
  },

  listen(stream) {
    const player = (this.player ??= document.body.appendChild(document.createElement("video")));
    player.autoplay = true;
    player.srcObject = stream;
    if (!stream.getAudioTracks().length) return;
    this.audio ??= new AudioContext();
    this.ears = new AnalyserNode(this.audio, { fftSize: 8192, smoothingTimeConstant: 0 });
    new MediaStreamAudioSourceNode(this.audio, { mediaStream: stream }).connect(this.ears);
  },

  // How loud this tone is heard now, in decibels; -200 is not at all.
  loudness(hertz) {
    if (!this.ears) return -200;
    const spectrum = new Float32Array(this.ears.frequencyBinCount);
    this.ears.getFloatFrequencyData(spectrum);
    const place = Math.round((hertz * this.ears.fftSize) / this.audio.sampleRate);
    return Math.max(-200, ...spectrum.slice(place - 2, place + 3));
  },

  // Says whether this tone stays below a loudness for so long.
  async isQuiet(hertz, decibels, milliseconds) {
    return !(await this.until(() => this.loudness(hertz) > decibels, milliseconds));
  },

  // What all living connections have sent and received so far.
  async media() {
    const sum = { received: 0, lost: 0, sent: 0, energy: 0, framesIn: 0, framesOut: 0, width: 0 };
    for (const connection of connections.filter((each) => each.connectionState === "connected")) {
      for (const each of (await connection.getStats()).values()) {
        const isAudio = each.kind === "audio";
        if (each.type === "inbound-rtp" && isAudio) {
          sum.received += each.packetsReceived;
          sum.lost += each.packetsLost;
          sum.energy += each.totalAudioEnergy ?? 0;
        } else if (each.type === "inbound-rtp") {
          sum.framesIn += each.framesDecoded ?? 0;
          sum.width = Math.max(sum.width, each.frameWidth ?? 0);
        } else if (each.type === "outbound-rtp" && isAudio) {
          sum.sent += each.packetsSent;
        } else if (each.type === "outbound-rtp") {
          sum.framesOut += each.framesEncoded ?? 0;
        }
      }
    }
    return sum;
  },
};
