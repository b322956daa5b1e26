import { TEMPLATE_ARGUMENTS } from "../limits"

/**
 * A tool call's arguments as an object, for templates that need one; the text itself if it is no JSON object, as in a
 * call that was cut off, or is nested so deeply that parsing it takes long.
 */
export function parseToolArguments(text: string): unknown {
  if (depthOf(text) > TEMPLATE_ARGUMENTS.depth) return text
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : text
  } catch {
    return text
  }
}

/** How deeply a JSON text is nested, without parsing it. */
function depthOf(text: string): number {
  let deepest = 0
  let depth = 0
  let isInString = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (isInString) {
      if (character === "\\") at++
      else if (character === '"') isInString = false
    } else if (character === '"') isInString = true
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth)
    else if (character === "}" || character === "]") depth--
  }
  return deepest
}
