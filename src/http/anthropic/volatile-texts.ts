/**
 * Texts at the head of a prompt that change with every request, although the rest stays: with them, nothing after them
 * would be found in the cache. They are meant for the service, not for the model.
 */
const VOLATILE: readonly RegExp[] = [
  // Claude Code's accounting, with a checksum of the request.
  /^x-anthropic-[a-z-]+:[^\n]*\n?/,
]

/** The text without such lines at its start; empty if nothing else was there. */
export function withoutVolatileText(text: string): string {
  const found = VOLATILE.find((pattern) => pattern.test(text))
  return found === undefined ? text : withoutVolatileText(text.replace(found, ""))
}
