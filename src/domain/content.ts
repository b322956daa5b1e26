import type { Content } from "./chat"

/** Separates text parts, as in llama-server and vLLM for templates that take plain text. */
const BETWEEN_PARTS = "\n"

/** The text of a message. */
export function textOf(content: Content): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join(BETWEEN_PARTS)
}
