// Listeners by event.

/** What happens to it is told to whoever listens; a listener that throws stops no other. */
export class Emitter {
  #listeners = new Map();

  /** Calls `listener` with the details of each such event. Returns a function that ends it. */
  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => this.off(event, listener);
  }

  /** Ends what `on` began. */
  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  /** Tells all that listen now, in the order in which they came. */
  emit(event, ...details) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(...details);
      } catch (error) {
        setTimeout(() => {
          throw error; // shown as any uncaught error of the page
        });
      }
    }
  }
}
