// Microphones, cameras and screens.

import { insecurePage, mediaError, VoipError } from "./errors.js";
import { within } from "./waiting.js";

const PERMISSION_MS = 60_000; // somebody has to read a question and answer it

/**
 * Takes a microphone, and a camera with `video`. Rejects with a VoipError that says which of them
 * is missing, busy or not allowed.
 */
export async function capture(media, { audio = true, video = false }) {
  try {
    return await ask(media, "getUserMedia", { audio, video });
  } catch (error) {
    // A browser does not say which of the two it means.
    const isCamera = video && (!audio || (await hasMicrophone(media)));
    throw mediaError(error, isCamera ? "camera" : "microphone");
  }
}

/** Takes one device in the place of another: `audioinput` or `videoinput`. */
export function captureDevice(media, kind, deviceId) {
  const wanted = { deviceId: { exact: deviceId } };
  return kind === "videoinput"
    ? capture(media, { audio: false, video: wanted })
    : capture(media, { audio: wanted });
}

/** Takes a screen, window or tab, as the user chooses. */
export async function captureScreen(media) {
  if (!media.mediaDevices?.getDisplayMedia) {
    throw new VoipError("media_unavailable", "Screens cannot be shared here");
  }
  try {
    return await ask(media, "getDisplayMedia", { video: true });
  } catch (error) {
    throw mediaError(error, "screen");
  }
}

/** Stops all that a stream takes from its devices. */
export function release(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

async function ask(media, method, constraints) {
  if (!media.mediaDevices) throw insecurePage(); // browsers hide it from pages without TLS
  const asked = media.mediaDevices[method](constraints);
  try {
    return await within(PERMISSION_MS, asked, "The permission");
  } catch (error) {
    if (error.code === "timeout") asked.then(release, () => {}); // it may be given later
    throw error;
  }
}

async function hasMicrophone(media) {
  const devices = (await media.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  return devices.some(({ kind }) => kind === "audioinput");
}
