// What people dial, as the service names it.

/** A number as people write it: with blanks, brackets, dots and hyphens. */
const NUMBER = /^[+*#0-9(][0-9*#+ ().-]*$/;

/** The participant that is meant: a dial string or a user id stays, a number becomes `SIP/number`. */
export function participantOf(target) {
  const text = target.trim();
  return NUMBER.test(text) ? `SIP/${text.replace(/[ ().-]/g, "")}` : text;
}
