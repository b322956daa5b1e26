import { homedir } from "node:os"
import { resolve } from "node:path"
import { UsageError } from "../errors/cli"
import { ADAPTERS, SETTINGS } from "../limits"
import { type ConfigValue, refusal } from "./values"

/** An adapter that is applied to every model that it fits. */
export interface AdapterSetting {
  /** Absolute. */
  readonly path: string
  readonly scale: number
}

const RULE = "GGUF files or PEFT folders of adapters, each FILE or FILE:SCALE"
const NONE = "none"
const { min, max } = ADAPTERS.scale

/** A file, and the number after its last colon. */
const SCALED = /^(?<file>.+):(?<scale>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)$/is

/** Adapters: a list in a file, `FILE:SCALE,…` on the command line and in a variable. */
export const loras: ConfigValue<readonly AdapterSetting[]> = {
  placeholder: "FILE[:SCALE],…",
  rule: RULE,
  schema: {
    anyOf: [
      {
        type: "array",
        maxItems: ADAPTERS.ofRequest.maxItems,
        items: {
          anyOf: [
            { type: "string", minLength: 1 },
            {
              type: "object",
              properties: {
                file: { type: "string", minLength: 1 },
                scale: { type: "number", minimum: min, maximum: max },
              },
              required: ["file"],
              additionalProperties: false,
            },
          ],
        },
      },
      { enum: [NONE, null] },
    ],
  },
  parse(given, origin) {
    if (given.trim().toLowerCase() === NONE) return []
    return checked(
      given.split(",").map((part) => toSetting(part.trim(), origin)),
      origin,
    )
  },
  // The schema ensures a list of texts and objects, or the word for none.
  read(given, origin) {
    if (!Array.isArray(given)) return []
    const entries = given as readonly (string | { readonly file: string; readonly scale?: number })[]
    return checked(
      entries.map((entry) =>
        typeof entry === "string"
          ? toSetting(entry, origin)
          : settingOf(entry.file, entry.scale ?? 1, origin),
      ),
      origin,
    )
  },
  show: (values) =>
    values.length === 0
      ? NONE
      : values.map(({ path, scale }) => (scale === 1 ? path : `${path}:${scale}`)).join(","),
}

function toSetting(text: string, origin: string): AdapterSetting {
  const { file = text, scale = "1" } = SCALED.exec(text)?.groups ?? {}
  return settingOf(file, Number(scale), origin)
}

function settingOf(file: string, scale: number, origin: string): AdapterSetting {
  if (file === "" || file.length > SETTINGS.text.maxLength || file.includes("\0"))
    throw refusal(origin, RULE, `'${file}'`)
  if (!(scale >= min && scale <= max))
    throw refusal(origin, `at most ${max}, and at least ${min}`, String(scale))
  return { path: resolve(file.replace(/^~(?=\/|$)/, () => homedir())), scale }
}

function checked(all: readonly AdapterSetting[], origin: string): readonly AdapterSetting[] {
  const { maxItems } = ADAPTERS.ofRequest
  if (all.length > maxItems)
    throw new UsageError(`${origin} may have at most ${maxItems} adapters, got ${all.length}`)
  return all
}
