import type { Value } from "../../config/values"
import { text } from "../../config/values"
import type { MetadataOverride } from "../../domain/quantize"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { readBounded } from "../../lib/system/read-bounded"
import { CONVERT } from "../../limits"

export type TypeRules = readonly (readonly [pattern: string, type: string])[]

/** `pattern=type` */
export const typeRule: Value<TypeRules> = {
  ...text("PATTERN=TYPE"),
  parse(given, origin) {
    const [, pattern, type] = /^(.+)=([^=]+)$/.exec(given) ?? []
    if (pattern === undefined || type === undefined)
      throw new UsageError(`${origin} must be a pattern and a type, such as attn_q=q8_0, got '${given}'`)
    if (!isRegularExpression(pattern))
      throw new UsageError(`${origin}: '${pattern}' is not a regular expression`)
    return [[pattern, type]]
  },
}

function isRegularExpression(pattern: string): boolean {
  try {
    return new RegExp(pattern) instanceof RegExp
  } catch {
    return false
  }
}

/** Rules in a file, separated by spaces or lines. @throws UsageError for a wrong one; FileFailed */
export async function readTypeRules(path: string): Promise<TypeRules> {
  const bytes = await readBounded(path, CONVERT.textBytes).catch((error: unknown) => {
    throw new FileFailed("read", path, error)
  })
  if (bytes === undefined) throw new UsageError(`${path} is larger than ${CONVERT.textBytes} bytes`)
  const rules = new TextDecoder()
    .decode(bytes)
    .split(/\s+/)
    .filter((rule) => rule !== "")
  return rules.flatMap((rule) => typeRule.parse(rule, path))
}

/** Numbers of layers: `20,21`. */
export const layerList: Value<readonly number[]> = {
  ...text("LAYER,…"),
  parse(given, origin) {
    const layers = given.split(",").map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : -1))
    if (layers.some((layer) => layer < 0 || layer >= CONVERT.parts))
      throw new UsageError(`${origin} must be numbers of layers, such as 20,21, got '${given}'`)
    return layers
  },
}

/** Bytes of a key, and of a text. */
const MOST_BYTES = 127

/** `key=type:value`, as llama.cpp's tools take it. */
export const metadataOverride: Value<readonly MetadataOverride[]> = {
  ...text("KEY=TYPE:VALUE"),
  parse(given, origin) {
    const [, key, type, value = ""] = /^([^=]+)=(int|float|bool|str):(.*)$/s.exec(given) ?? []
    const fail = () =>
      new UsageError(
        `${origin} must be a key, a type (int, float, bool or str) and a value, such as general.name=str:mine, got '${given}'`,
      )
    if (key === undefined || type === undefined) throw fail()
    if (Buffer.byteLength(key) > MOST_BYTES || (type === "str" && Buffer.byteLength(value) > MOST_BYTES))
      throw new UsageError(`${origin}: a key and a text may have ${MOST_BYTES} bytes at most`)
    if (type === "str") return [{ key, value: { type, value } }]
    if (type === "bool" && /^(?:true|false)$/.test(value))
      return [{ key, value: { type, value: value === "true" } }]
    if (type === "int" && /^[-+]?\d{1,18}$/.test(value))
      return [{ key, value: { type, value: BigInt(value) } }]
    if (type === "float" && value.trim() !== "" && Number.isFinite(Number(value)))
      return [{ key, value: { type, value: Number(value) } }]
    throw fail()
  },
}
