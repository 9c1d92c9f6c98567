// What goes wrong, in stable words.

/**
 * An error with a word for programs (`code`) and a sentence for people (`message`).
 *
 * `status` is the HTTP status where the service answered, `retryAfter` the seconds that it asks to
 * wait; else they are null.
 */
export class VoipError extends Error {
  constructor(code, message, { status = null, retryAfter = null, cause } = {}) {
    super(message, { cause });
    this.name = "VoipError";
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

// Names of DOMException that getUserMedia and getDisplayMedia reject with.
const REFUSED = new Set(["NotAllowedError", "PermissionDeniedError", "SecurityError"]);
const MISSING = new Set(["NotFoundError", "DevicesNotFoundError", "OverconstrainedError"]);
const BUSY = new Set(["NotReadableError", "TrackStartError", "AbortError"]);

/** What a refusal of getUserMedia or getDisplayMedia means; `device` is its English name. */
export function mediaError(error, device) {
  if (error instanceof VoipError) return error;
  const name = error?.name;
  if (REFUSED.has(name)) {
    return new VoipError("permission_denied", `The ${device} may not be used`, { cause: error });
  }
  if (MISSING.has(name)) {
    return new VoipError(`${device}_missing`, `There is no ${device}`, { cause: error });
  }
  if (BUSY.has(name)) {
    return new VoipError(`${device}_busy`, `Another program uses the ${device}`, { cause: error });
  }
  return new VoipError("media_unavailable", `The ${device} cannot be used`, { cause: error });
}

/** The error for a page that may use no microphone at all: one that came without TLS. */
export function insecurePage() {
  return new VoipError("insecure_page", "A microphone needs a page over https or on this machine");
}
