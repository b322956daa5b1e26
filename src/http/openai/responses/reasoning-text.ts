/** Marks what was written here: the rest is the thinking, which nothing here needs to hide from its own client. */
const OURS = "xllm."

/**
 * `encrypted_content` of thinking: clients that keep conversations themselves send it back in place of the text. It is
 * encoded, not encrypted.
 */
export function toOpaque(thinking: string): string {
  return OURS + Buffer.from(thinking).toString("base64")
}

/** The thinking in it; undefined where only another service can read it. */
export function fromOpaque(text: string): string | undefined {
  return text.startsWith(OURS) ? Buffer.from(text.slice(OURS.length), "base64").toString() : undefined
}
