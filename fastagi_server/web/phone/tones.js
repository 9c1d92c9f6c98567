// Tones: somebody rings, there it rings, a key was pressed. Made here, so that nothing is loaded.

const PATTERNS = {
  // Hertz, and seconds of tone and of silence.
  ringback: { hertz: [425], on: 1, off: 4, level: 0.06 },
  ringing: { hertz: [880, 1108], on: 0.5, off: 1.5, level: 0.1 },
  waiting: { hertz: [425], on: 0.2, off: 4.8, level: 0.05 },
};
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const PAD = "123456789*0#";
const EDGE_S = 0.015; // a tone that begins at once clicks

export class Tones {
  #context = null;
  #timer = 0;
  #name = "";
  #playing = [];

  /** To be called in a user's action, for browsers let no page sound before one. */
  unlock() {
    this.#context ??= typeof AudioContext === "undefined" ? null : new AudioContext();
    this.#context?.resume().catch(() => undefined);
  }

  /** Repeats a pattern until another one, or none (""), is wanted. */
  play(name) {
    if (name === this.#name) return;
    this.#stop();
    this.#name = name;
    if (!name || !this.#context) return;
    const { hertz, on, off, level } = PATTERNS[name];
    const once = () => this.#sound(hertz, on, level);
    once();
    this.#timer = setInterval(once, (on + off) * 1000);
  }

  /** The tone of a key, once. */
  key(digit) {
    const place = PAD.indexOf(digit);
    if (!this.#context || place < 0) return;
    this.#sound([ROWS[Math.floor(place / 3)], COLUMNS[place % 3]], 0.12, 0.05);
  }

  #sound(hertz, seconds, level) {
    if (this.#context.state !== "running") return;
    const now = this.#context.currentTime;
    const volume = this.#context.createGain();
    volume.gain.setValueAtTime(0, now);
    volume.gain.linearRampToValueAtTime(level, now + EDGE_S);
    volume.gain.setValueAtTime(level, now + seconds - EDGE_S);
    volume.gain.linearRampToValueAtTime(0, now + seconds);
    volume.connect(this.#context.destination);
    for (const frequency of hertz) {
      const tone = new OscillatorNode(this.#context, { frequency });
      tone.connect(volume);
      tone.start(now);
      tone.stop(now + seconds);
      this.#playing.push(tone);
      tone.onended = () => {
        this.#playing.splice(this.#playing.indexOf(tone), 1);
        volume.disconnect();
      };
    }
  }

  #stop() {
    clearInterval(this.#timer);
    for (const tone of this.#playing) tone.stop();
  }
}
