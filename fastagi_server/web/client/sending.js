// What a call sends: a microphone, a camera, a screen.

import { capture, captureDevice, captureScreen } from "./capture.js";

/**
 * The tracks that go out, and the senders that they go through.
 *
 * Tracks that were taken here are stopped here; those of a stream that came from outside never.
 * `changed(kind)` is called when a track came or went.
 */
export class Sending {
  #media;
  #changed;
  #taken = new Set();
  #peer = null;
  #camera = null;
  #screen = null;
  #isAudible = true;

  /** `stream` is sent; `isTaken` when it was captured for this call alone. */
  constructor(media, stream, isTaken, changed) {
    this.#media = media;
    this.#changed = changed;
    const tracks = stream.getTracks();
    /** What is sent, for a preview; the screen is not in it. */
    this.stream = new media.MediaStream(tracks);
    this.#camera = tracks.find(({ kind }) => kind === "video") ?? null;
    if (isTaken) for (const track of tracks) this.#taken.add(track);
  }

  get isSharingScreen() {
    return this.#screen !== null;
  }

  get hasVideo() {
    return this.#camera !== null || this.#screen !== null;
  }

  /** Sends all of it through this peer from now on. */
  attach(peer) {
    this.#peer = peer;
    for (const track of this.stream.getTracks()) peer.addTrack(track, this.stream);
  }

  /** Lets the microphone be heard, or sends silence. */
  setAudible(isAudible) {
    this.#isAudible = isAudible;
    for (const track of this.#tracks("audio")) track.enabled = isAudible;
  }

  /** The sender of keys, where the browser has one and the other side takes them. */
  get keys() {
    const sender = this.#peer?.sender("audio")?.dtmf;
    return sender?.canInsertDTMF ? sender : null;
  }

  /** Sends a camera besides. Rejects with a VoipError of the media. */
  async startVideo(constraints = true) {
    if (this.#camera) return;
    const track = await this.#take(capture(this.#media, { audio: false, video: constraints }));
    this.#camera = track;
    this.stream.addTrack(track);
    if (!this.#screen) this.#peer?.addTrack(track, this.stream);
    this.#changed("video");
  }

  async stopVideo() {
    const track = this.#camera;
    if (!track) return;
    this.#camera = null;
    if (!this.#screen) this.#stopSending(track);
    this.stream.removeTrack(track);
    this.#drop(track);
    this.#changed("video");
  }

  /** Shows a screen in the place of the camera, until `stopScreen` or the browser's own button. */
  async shareScreen() {
    if (this.#screen) return;
    const track = await this.#take(captureScreen(this.#media));
    this.#screen = track;
    track.addEventListener?.("ended", () => this.stopScreen());
    const sender = this.#camera && this.#peer?.sender("video");
    if (sender) await sender.replaceTrack(track);
    else this.#peer?.addTrack(track, this.stream);
    this.#changed("video");
  }

  async stopScreen() {
    const track = this.#screen;
    if (!track) return;
    this.#screen = null;
    if (this.#camera) await this.#peer?.sender("video")?.replaceTrack(this.#camera);
    else this.#stopSending(track);
    this.#drop(track);
    this.#changed("video");
  }

  /** Takes another microphone or camera in the place of the one in use. */
  async useDevice(kind, deviceId) {
    const track = await this.#take(captureDevice(this.#media, kind, deviceId));
    const [old] = this.#tracks(track.kind);
    if (track.kind === "audio") track.enabled = this.#isAudible;
    const isSent = track.kind === "audio" || !this.#screen;
    if (old && isSent) await this.#peer?.sender(track.kind)?.replaceTrack(track);
    else if (isSent) this.#peer?.addTrack(track, this.stream);
    if (old) this.stream.removeTrack(old);
    if (old) this.#drop(old);
    this.stream.addTrack(track);
    if (track.kind === "video") this.#camera = track;
    this.#changed(track.kind);
  }

  /** Stops whatever was taken here. */
  release() {
    this.#peer = null;
    this.#screen = null;
    for (const track of this.#taken) track.stop();
    this.#taken.clear();
  }

  async #take(captured) {
    const [track] = (await captured).getTracks();
    this.#taken.add(track);
    return track;
  }

  #drop(track) {
    if (this.#taken.delete(track)) track.stop();
  }

  #stopSending(track) {
    const sender = this.#peer?.connection.getSenders().find((each) => each.track === track);
    if (sender) this.#peer.removeTrack(sender);
  }

  #tracks(kind) {
    return this.stream.getTracks().filter((track) => track.kind === kind);
  }
}
