import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { dirname, extname } from "node:path"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { systemCode } from "../../lib/system/system-reason"
import { type JsonRecord, recordAt, toRecord } from "../../lib/json"
import type { ProfileFacts } from "../../measure/facts"

type MeasuredSettings = ProfileFacts["settings"]

/**
 * Writes a model's settings into a configuration file, whose other lines and comments stay. The former file is kept
 * beside it.
 * @returns the path of the former file; undefined: there was none
 * @throws UsageError where the file is laid out in a way that a line cannot be added to; FileFailed
 */
export async function writeSettings(
  path: string,
  model: string,
  settings: MeasuredSettings,
): Promise<string | undefined> {
  try {
    const old = await readFile(path, "utf8").catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return undefined
      throw error
    })
    const isJson = extname(path).toLowerCase() === ".json"
    const parse = (text: string): unknown => (isJson ? JSON.parse(text) : Bun.YAML.parse(text))
    const before = old === undefined || old.trim() === "" ? {} : (parse(old) ?? {})
    const text = isJson ? inJson(old ?? "{}", model, settings) : inYaml(old ?? "", model, settings)
    check(before, parse(text), path, model, settings)
    const backup = old === undefined ? undefined : `${path}.bak`
    if (backup === undefined) await mkdir(dirname(path), { recursive: true })
    else await copyFile(path, backup)
    const written = `${path}.${process.pid}.part`
    await writeFile(written, text, { mode: 0o600 })
    await rename(written, path)
    return backup
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new FileFailed("write", `the configuration file ${path}`, error)
  }
}

/** Anything else than plain blocks could have been misread: nothing is written then. */
function check(
  before: unknown,
  after: unknown,
  path: string,
  model: string,
  settings: MeasuredSettings,
): void {
  if (Bun.deepEquals(after, withSettings(before, model, settings))) return
  throw new UsageError(
    `${path} is laid out in a way that lines cannot be added to: copy the settings into it`,
  )
}

function withSettings(given: unknown, model: string, settings: MeasuredSettings): JsonRecord {
  const models = recordAt(toRecord(given), "models")
  const values = Object.fromEntries(settings.map(({ name, value }) => [name, value]))
  return { ...toRecord(given), models: { ...models, [model]: { ...recordAt(models, model), ...values } } }
}

function inJson(text: string, model: string, settings: MeasuredSettings): string {
  return `${JSON.stringify(withSettings(JSON.parse(text), model, settings), null, 2)}\n`
}

function inYaml(text: string, model: string, settings: MeasuredSettings): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n")
  const top = lines.findIndex((line) => /^models:\s*(#.*)?$/.test(line))
  if (top === -1) {
    if (lines.length > 0 && lines.at(-1)?.trim() !== "") lines.push("")
    lines.push("models:", `  ${JSON.stringify(model)}:`, ...settings.map(lineOf("    ")))
    return `${lines.join("\n")}\n`
  }
  const models = blockBelow(lines, top)
  const at = lines.findIndex(
    (line, index) => index > top && index < models.end && keyIn(line, models.indent) === model,
  )
  if (at === -1) {
    const indent = models.indent === "" ? "  " : models.indent
    lines.splice(top + 1, 0, `${indent}${JSON.stringify(model)}:`, ...settings.map(lineOf(`${indent}  `)))
    return `${lines.join("\n")}\n`
  }
  const section = blockBelow(lines, at)
  const indent = section.indent.length > models.indent.length ? section.indent : `${models.indent}  `
  for (const setting of settings) {
    const { end } = blockBelow(lines, at)
    const existing = lines.findIndex(
      (line, index) => index > at && index < end && keyIn(line, indent) === setting.name,
    )
    if (existing === -1) lines.splice(at + 1, 0, lineOf(indent)(setting))
    else lines[existing] = lineOf(indent)(setting)
  }
  return `${lines.join("\n")}\n`
}

function lineOf(indent: string): (setting: MeasuredSettings[number]) => string {
  return ({ name, value, reason }) => `${indent}${name}: ${value}   # ${reason}`
}

/** The indentation of the first line within a block, and the line after its last. */
function blockBelow(
  lines: readonly string[],
  top: number,
): { readonly indent: string; readonly end: number } {
  const own = indentOf(lines[top] ?? "").length
  const isInside = (line: string) =>
    line.trim() === "" || line.trim().startsWith("#") || indentOf(line).length > own
  const after = lines.findIndex((line, index) => index > top && !isInside(line))
  const end = after === -1 ? lines.length : after
  const first = lines.slice(top + 1, end).find((line) => line.trim() !== "" && !line.trim().startsWith("#"))
  return { indent: first === undefined ? "" : indentOf(first), end }
}

function indentOf(line: string): string {
  return /^ */.exec(line)?.[0] ?? ""
}

/** The key of a line with exactly that indentation, without quotes. */
function keyIn(line: string, indent: string): string | undefined {
  if (indentOf(line) !== indent) return undefined
  const [, double, single, plain] =
    /^ *(?:"([^"\\]*)"|'([^']*)'|([^\s#'":][^#]*?))\s*:(?:\s|$)/.exec(line) ?? []
  return double ?? single ?? plain
}
