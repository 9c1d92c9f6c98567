// Who telephones: the token that the sign-in form takes, kept for as long as the tab is open.

const KEY = "phone.token";

/** The token, or null. */
export const storedToken = () => sessionStorage.getItem(KEY);

/** Remembers a token. */
export const remember = (token) => sessionStorage.setItem(KEY, token);

/** Forgets it. */
export const forget = () => sessionStorage.removeItem(KEY);

/**
 * What people paste: the token, perhaps with the header's words before it and white space around.
 * "" when there is nothing that a header could carry.
 */
export function cleanToken(text) {
  const token = text.trim().replace(/^(authorization:\s*)?bearer\s+/i, "");
  return /^[\x21-\x7e]+$/.test(token) ? token : "";
}

/** Whom a JSON web token names; "" for an API key, which only the service can tell. */
export function userOf(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof sub === "string" ? sub : "";
  } catch {
    return "";
  }
}
