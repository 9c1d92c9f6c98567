// What happened, in words, and what whoever telephones can do about it.

/** Why a call ended, by the reason words of the signaling. `isFault`: to be shown until closed. */
const ENDS = {
  ended: ["The call has ended", ""],
  cancelled: ["The call was cancelled", ""],
  answered_elsewhere: ["Answered elsewhere", "Another page or telephone of yours took the call."],
  left: ["You had left the call", "The service had not heard from this page for a while."],
  busy: ["Busy", "The other side is in a call. Try again later.", true],
  refused: ["Refused", "The other side did not take the call.", true],
  no_answer: ["No answer", "Nobody took the call. Try again later.", true],
  unreachable: ["Unreachable", "The telephone is off or not connected. Try again later.", true],
  unknown: ["Unknown number", "Nobody has this number. Check it and dial again.", true],
  media_failed: [
    "No sound could be exchanged",
    "A firewall may be in the way. Try another network, or ask who runs the telephone.",
    true,
  ],
  failed: ["The call failed", "Try again.", true],
  gateway_lost: ["The telephone system broke off the call", "Wait a moment and call again.", true],
};

/** How an incoming call ends that nobody took. */
const MISSED = ["cancelled", "no_answer"];

const ALLOW = "Allow it with the sign beside the address of this page, and try again.";
const CLOSE = "Close the other program, or choose another device under Devices and alerts.";
const SOON = "Wait a moment and try again.";

/** What goes wrong, by the codes of the library and of the service. */
const FAULTS = {
  microphone_missing: ["No microphone", "Connect a microphone or a headset and call again."],
  camera_missing: ["No camera", "Connect a camera, or call without video."],
  permission_denied: ["The browser does not let this page use the microphone or camera", ALLOW],
  microphone_busy: ["Another program uses the microphone", CLOSE],
  camera_busy: ["Another program uses the camera", CLOSE],
  media_unavailable: [
    "The microphone or camera cannot be used",
    "Choose another device, or another browser.",
  ],
  insecure_page: [
    "This page is not secure",
    "Browsers give the microphone to secure pages only: open this page with https://.",
  ],
  negotiation_failed: ["The call could not be set up", "Try again, or use another browser."],
  wrong_state: ["That cannot be done now", SOON],
  call_ended: ["The call has ended already", ""],
  unauthorized: ["The token is wrong or has expired", "Sign in with a new one."],
  forbidden: ["You may not do that", "Ask who runs the telephone for the right to it."],
  rate_limited: ["Too many requests", "Wait a minute and try again."],
  concurrency_exceeded: ["You have as many calls or rooms as you may", "End one of them first."],
  service_away: [
    "The service does not answer",
    "Check your network; the page tries again by itself.",
  ],
  timeout: ["The service took too long", SOON],
  invalid_request: ["This cannot be called", "Check the number or the name."],
  pbx_unreachable: ["The telephone system is away", SOON],
  gateway_unavailable: ["Browsers cannot call the telephone system now", SOON],
  pbx_refused: ["The telephone system refused", SOON],
  pbx_too_slow: ["The telephone system took too long", SOON],
  store_unavailable: ["The service is disturbed", SOON],
  room_full: ["The room is full", "Somebody has to leave first."],
  room_locked: ["The room is locked", "Ask its owner to let you in."],
  room_closed: ["The room was closed", ""],
  wrong_password: ["The password of the room is wrong", "Ask its owner for it."],
};

const UNKNOWN_ADVICE = "Try again. When it stays so, tell who runs the telephone.";

/**
 * The words for the end of a call in this direction: {title, advice, isFault}. A fault stays until
 * it is closed; what somebody did himself is none, and neither is a call that he missed.
 */
export function wordsOfEnd({ reason, by, error }, direction) {
  if (direction === "incoming" && MISSED.includes(reason)) {
    return { title: "Missed call", advice: "" };
  }
  if (by === "us" && reason === "refused") return { title: "Refused by you", advice: "" };
  if (reason === "failed" && error) return { ...wordsOfError(error), isFault: true };
  const [title, advice, isFault = false] = ENDS[reason] ?? ENDS.failed;
  return { title, advice, isFault };
}

/** The words for an error: {title, advice}. Those of a fault of this page are for programmers. */
export function wordsOfError(error) {
  if (!error.code) console.error(error);
  const [title, advice] = FAULTS[error.code] ?? [
    error.code ? error.message : "Something went wrong",
    "Try again. When it stays so, tell who runs the telephone.",
  ];
  return { title, advice };
}

/** The states of a line. */
export const STATES = {
  initiating: { words: "Calling", level: "warn" },
  ringing: { words: "Ringing", level: "warn" },
  connecting: { words: "Connecting", level: "warn" },
  connected: { words: "Connected", level: "good" },
  interrupted: { words: "Interrupted", level: "bad" },
  held: { words: "On hold", level: "warn" },
  held_by_other: { words: "Held by the other side", level: "warn" },
  ended: { words: "Ended", level: "none" },
};

/** How the service is reached, while there is no call. */
export const CONNECTIONS = {
  connecting: { words: "Connecting", level: "none" },
  connected: { words: "Ready", level: "good" },
  polling: { words: "Limited", level: "warn", reason: "Incoming calls may not be shown" },
  away: { words: "No connection", level: "none", reason: "The page tries again by itself" },
  unauthorized: { words: "Signed out", level: "none" },
  closed: { words: "Signed out", level: "none" },
};

export const PRESENCES = {
  online: { words: "Online", level: "good" },
  busy: { words: "Busy", level: "bad" },
  do_not_disturb: { words: "Do not disturb", level: "bad" },
  away: { words: "Away", level: "warn" },
  offline: { words: "Offline", level: "none" },
};

export const QUALITIES = {
  good: { words: "Good", level: "good" },
  fair: { words: "Fair", level: "warn" },
  poor: { words: "Poor", level: "bad" },
  unknown: { words: "Measuring", level: "none" },
};

/** The figures of a call's quality in one line. */
export function wordsOfQuality({ score, rttMs, jitterMs, lossPercent, codec }) {
  const parts = [
    [score, (value) => `score ${value.toFixed(1)}`],
    [rttMs, (value) => `${Math.round(value)} ms there and back`],
    [jitterMs, (value) => `jitter ${Math.round(value)} ms`],
    [lossPercent, (value) => `${value.toFixed(value < 10 ? 1 : 0)} % lost`],
    [codec, (value) => value],
  ];
  const known = parts.filter(([value]) => value !== null && value !== undefined);
  return known.map(([value, words]) => words(value)).join(" · ");
}
