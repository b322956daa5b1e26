/** Yields to everything waiting for the event loop; for work that would otherwise block it for long. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
