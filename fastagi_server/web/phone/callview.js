// The call in front: whom it is with, how it is and sounds, its pictures and its buttons.

import { KeyedList, byId, make, setData, setText } from "../../wallboard/assets/dom.js";
import { duration } from "../../wallboard/assets/words.js";
import { addTones, cleanPastes } from "./dialpad.js";
import { cleanNumber } from "./numbers.js";
import { QUALITIES, STATES, wordsOfQuality } from "./words.js";

const BUTTONS = ["mute", "hold", "keys", "camera", "screen", "transfer"];

export class CallView {
  #lines;
  #line = null;
  #pictures = new KeyedList(byId("pictures"), createPicture, attach);

  /** `devices` tells which camera; `pressed(key)` is called for the tone of a key. */
  constructor(lines, { devices, pressed }) {
    this.#lines = lines;
    const act = (id, action) => {
      byId(id).addEventListener("click", () => this.#line && lines.act(this.#line, action));
    };
    act("mute", (call) => (call.isMuted ? call.unmute() : call.mute()));
    act("hold", (call) => (call.isHeld ? call.resume() : call.hold()));
    act("camera", (call) =>
      isCameraOn(call) ? call.stopVideo() : call.startVideo(devices.video()));
    act("screen", (call) => (call.isSharingScreen ? call.stopScreen() : call.shareScreen()));
    byId("hang-up").addEventListener("click", () => {
      if (lines.attempt) lines.attempt.abort();
      else this.#line?.call.hangup();
    });
    for (const [button, panel] of [["keys", "tones-panel"], ["transfer", "transfer-form"]]) {
      byId(button).addEventListener("click", () => toggle(button, panel));
    }
    addTones(byId("tones"), (key) => {
      pressed(key);
      lines.press(key);
    });
    cleanPastes(byId("transfer-to"));
    byId("transfer-form").addEventListener("submit", (event) => this.#transfer(event));
  }

  /** Shows the line in front, or the call that is being made, or nothing. */
  show({ front, attempt }) {
    const isOther = front !== this.#line;
    this.#line = front;
    byId("call").hidden = !front && !attempt;
    if (isOther || !front) this.#close();
    for (const id of BUTTONS) byId(id).disabled = !front || !isUsable(id, front.call);
    if (attempt) showHead(attempt.name, STATES.initiating);
    else if (front) showHead(front.name, STATES[front.state]);
    this.#showPressed(front?.call);
    this.#showMedia(front);
    this.#showNote(front);
    this.showQuality(front);
    this.tick();
  }

  /** Brings the duration up to date. */
  tick() {
    const since = this.#line?.call.connectedAt;
    setText(byId("call-duration"), since ? duration(Date.now() - since) : "");
  }

  /** Shows how the line in front sounds; of another line nothing. */
  showQuality(line) {
    if (line !== this.#line) return;
    const quality = line?.call.quality;
    byId("quality").hidden = !quality || line.call.state !== "connected";
    if (!quality) return;
    const { words, level } = QUALITIES[quality.word];
    setText(byId("quality-word"), words);
    setData(byId("quality-word"), "level", level);
    setText(byId("quality-figures"), wordsOfQuality(quality));
  }

  #showPressed(call) {
    press("mute", call?.isMuted);
    press("hold", call?.isHeld);
    press("camera", call && isCameraOn(call));
    press("screen", call?.isSharingScreen);
  }

  #showMedia(line) {
    const call = line?.call;
    const streams = call?.videoStreams ?? [];
    const isSending = Boolean(call?.isSendingVideo);
    const isShown = isSending || streams.length > 0;
    attach(byId("remote-audio"), call?.remoteStream ?? null);
    attach(byId("local-video"), isSending ? call.localStream : null);
    this.#pictures.show(streams);
    setData(byId("pictures"), "columns", String(Math.ceil(Math.sqrt(streams.length))));
    byId("stage").hidden = !isShown;
    byId("local-video").hidden = !isSending;
    setData(byId("local-video"), "own", call?.isSharingScreen ? "screen" : "camera");
    setData(document.body, "stage", isShown ? "shown" : "none");
  }

  #showNote(line) {
    const notes = line
      ? [
          line.isPeerMuted ? "The other side has muted itself." : "",
          line.call.isMuted ? "You are muted: the other side does not hear you." : "",
          line.state === "interrupted" ? "The network is interrupted; the call is kept." : "",
        ].filter(Boolean)
      : [];
    byId("call-note").hidden = notes.length === 0;
    setText(byId("call-note"), notes.join(" "));
    setText(byId("tones-sent"), line?.tones ?? "");
  }

  #close() {
    for (const [button, panel] of [["keys", "tones-panel"], ["transfer", "transfer-form"]]) {
      byId(button).setAttribute("aria-expanded", "false");
      byId(panel).hidden = true;
    }
    byId("transfer-to").value = "";
  }

  #transfer(event) {
    event.preventDefault();
    const target = cleanNumber(byId("transfer-to").value);
    if (target && this.#line) this.#lines.act(this.#line, (call) => call.transfer(target));
    else byId("transfer-to").focus();
  }
}

// A screen is sent in the place of the camera.
const isCameraOn = (call) => call.isSendingVideo && !call.isSharingScreen;

function isUsable(id, call) {
  if (call.state === "connected") return true;
  if (call.state === "held") return id === "hold" || id === "mute" || id === "transfer";
  return id === "mute";
}

function showHead(name, { words, level }) {
  setText(byId("call-name"), name);
  setText(byId("call-state"), words);
  setData(byId("call-state"), "level", level);
}

function press(id, isPressed) {
  byId(id).setAttribute("aria-pressed", String(Boolean(isPressed)));
}

function toggle(button, panel) {
  const isOpen = byId(panel).hidden;
  byId(panel).hidden = !isOpen;
  byId(button).setAttribute("aria-expanded", String(isOpen));
  if (isOpen) byId(panel).querySelector("input, button").focus();
}

function createPicture() {
  const picture = make("video");
  picture.setAttribute("aria-label", "Video of the other side");
  // Its sound comes with all the rest, from the speaker that was chosen.
  Object.assign(picture, { muted: true, playsInline: true });
  return picture;
}

function attach(element, stream) {
  if (element.srcObject === stream) return;
  element.srcObject = stream;
  // Browsers begin by themselves where the user has done something on the page before.
  if (stream) element.play().catch(() => undefined);
}
