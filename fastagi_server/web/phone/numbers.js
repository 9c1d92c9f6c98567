// What is dialled: numbers as people write them, and names of users.

export const KEYS = [
  ["1", ""], ["2", "ABC"], ["3", "DEF"],
  ["4", "GHI"], ["5", "JKL"], ["6", "MNO"],
  ["7", "PQRS"], ["8", "TUV"], ["9", "WXYZ"],
  ["*", ""], ["0", ""], ["#", ""],
];

/** Whether this is a key of a telephone. */
export const isKey = (text) => /^[0-9*#]$/.test(text);

/**
 * A typed or pasted number without what people put between its digits; of a name, which has a
 * letter, only what names of users have. `tel:` and `sip:` addresses lose what is around them.
 */
export function cleanNumber(text) {
  const bare = text.normalize("NFKC").trim().replace(/^(tel|sips?):/i, "").replace(/;.*$/s, "");
  if (/[a-z]/i.test(bare)) return bare.replace(/[^A-Za-z0-9._@:+-]/g, "");
  // The zero in +32 (0)2 is not dialled from abroad, and the plus says abroad.
  const abroad = bare.startsWith("+") ? bare.replace(/\(0\)/, "") : bare;
  return abroad.replace(/[^0-9*#+]/g, "").replace(/(?!^)\+/g, "");
}
