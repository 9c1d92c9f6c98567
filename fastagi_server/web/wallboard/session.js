// Who looks: the credential that the sign-in form takes, kept for as long as the tab is open.

const KEY = "wallboard.credential";

/** The headers that prove it, or null. */
export function credential() {
  const stored = sessionStorage.getItem(KEY);
  return stored && JSON.parse(stored);
}

/** Remembers what the form has: a key, else name and password; null when it has neither. */
export function remember(form) {
  const [key, name, password] = ["key", "name", "password"].map((id) => form.elements[id].value);
  const headers = key.trim()
    ? { "X-API-Key": key.trim() }
    : name && password
      ? { Authorization: `Basic ${base64(`${name}:${password}`)}` }
      : null;
  if (headers) sessionStorage.setItem(KEY, JSON.stringify(headers));
  return headers;
}

/** Forgets it. */
export function forget() {
  sessionStorage.removeItem(KEY);
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
