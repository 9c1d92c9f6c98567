// The board's state in the page: all of it, and what has changed in it.

const KEYED = ["calls", "rooms", "endpoints", "links"];

/** What the service told last. Keyed lists are Maps by id, or null while they are not known. */
export class Board {
  state = null;

  /** Takes everything anew. */
  replace(board) {
    this.state = { ...board };
    for (const name of KEYED) {
      this.state[name] = board[name] && new Map(board[name].map((each) => [each.id, each]));
    }
  }

  /** Takes a change, and returns the names of what is different now. */
  change(change) {
    const names = Object.keys(change).filter((name) => name !== "at");
    for (const name of names) {
      const value = change[name];
      if (KEYED.includes(name) && value && !Array.isArray(value)) {
        for (const id of value.gone) this.state[name].delete(id);
        for (const each of value.set) this.state[name].set(each.id, each);
      } else if (KEYED.includes(name)) {
        this.state[name] = value && new Map(value.map((each) => [each.id, each]));
      } else {
        this.state[name] = value;
      }
    }
    this.state.at = change.at;
    return names;
  }
}
