// What a call receives: the far end's sound and pictures.

/** Collects the tracks that come. `changed(kind)` is called when one came, went or fell silent. */
export class Receiving {
  #media;
  #changed;
  #pictures = new Map();

  constructor(media, changed) {
    this.#media = media;
    this.#changed = changed;
    /** All of it in one stream; null before the first track. */
    this.stream = null;
  }

  /** One stream for each picture that is sent now. */
  get pictures() {
    return [...this.#pictures].filter(([track]) => !track.muted).map(([, stream]) => stream);
  }

  /** Takes a track of the peer connection. */
  add(track) {
    this.stream ??= new this.#media.MediaStream();
    // One that stops and comes again is told of each time.
    if (!this.stream.getTracks().includes(track)) this.#keep(track);
    this.#changed(track.kind);
  }

  #keep(track) {
    this.stream.addTrack(track);
    if (track.kind === "video") this.#pictures.set(track, new this.#media.MediaStream([track]));
    for (const event of ["mute", "unmute"]) {
      track.addEventListener?.(event, () => this.#changed(track.kind));
    }
    track.addEventListener?.("ended", () => this.#remove(track));
  }

  #remove(track) {
    this.#pictures.delete(track);
    this.stream.removeTrack(track);
    this.#changed(track.kind);
  }
}
