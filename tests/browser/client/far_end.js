// The other side of calls, in a page of its own: a peer connection that speaks a tone and listens.

window.far = {
  peer: null,
  sound: null,

  reset() {
    this.peer?.close();
    this.peer = null;
  },

  open() {
    this.sound ??= this.tone();
    this.peer = new RTCPeerConnection();
    this.peer.addTrack(this.sound.getAudioTracks()[0], this.sound);
    this.peer.addEventListener("track", ({ track }) => {
      // A browser counts the energy of what is played only.
      const ear = document.createElement(track.kind);
      ear.srcObject = new MediaStream([track]);
      ear.play();
    });
  },

  tone() {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    return out.stream;
  },

  async gathered() {
    while (this.peer.iceGatheringState !== "complete") {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { type, sdp } = this.peer.localDescription;
    return { type, sdp };
  },

  async answer(offer) {
    if (!this.peer) this.open();
    await this.peer.setRemoteDescription(offer);
    await this.peer.setLocalDescription();
    return this.gathered();
  },

  // Shows a picture that moves, with the next offer or answer.
  show() {
    const canvas = document.createElement("canvas");
    const drawing = canvas.getContext("2d");
    setInterval(() => {
      drawing.fillStyle = `hsl(${performance.now() % 360} 90% 50%)`;
      drawing.fillRect(0, 0, canvas.width, canvas.height);
    }, 50);
    const stream = canvas.captureStream(20);
    this.peer.addTrack(stream.getVideoTracks()[0], stream);
  },

  // How many pictures come in now that are no silence.
  pictures() {
    return this.peer.getReceivers().filter(({ track }) => track.kind === "video" && !track.muted)
      .length;
  },

  async offer(withVideo) {
    if (!this.peer) this.open();
    if (withVideo) this.show();
    await this.peer.setLocalDescription();
    return this.gathered();
  },

  // What our side of the call hears and says, after a second of it.
  async heard() {
    const read = async () => {
      const all = [...(await this.peer.getStats()).values()];
      const sound = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
      return { packets: sound?.packetsReceived ?? 0, energy: sound?.totalAudioEnergy ?? 0 };
    };
    const before = await read();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const after = await read();
    return { packets: after.packets - before.packets, energy: after.energy - before.energy };
  },
};
