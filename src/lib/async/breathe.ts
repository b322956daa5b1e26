/** Lets everything that waits for the event loop go first; for work that would otherwise hold it up for long. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
