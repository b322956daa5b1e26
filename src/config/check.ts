import { Compile } from "typebox/compile"
import { UsageError } from "../errors/cli"
import { type Aliases, aliasOf } from "../lib/aliases"
import { nearest } from "../lib/text/nearest"
import { shorten } from "../lib/text/shorten"
import { SHOWN } from "../limits"
import { fileSchema } from "./file-schema"
import { allSettings, perModelSettings } from "./schema"
import type { Setting } from "./setting"
import { refusal } from "./values"

/** The keys from the top of a file to one value. */
type Place = readonly string[]

const settingsByPath = new Map<string, Setting<unknown>>(
  Object.values(allSettings).map((setting) => [setting.path, setting]),
)
const settingsOfModels = new Map<string, Setting<unknown>>(
  Object.values(perModelSettings).map((setting) => [setting.path.replace(/^defaults\./, ""), setting]),
)

/**
 * The values of a file, by the settings' paths.
 * @param file its path, for messages
 * @throws UsageError that lists every fault with its place
 */
export function checkConfig(given: unknown, file: string): ReadonlyMap<string, unknown> {
  const root = withoutEmptySections(given)
  const validator = Compile(fileSchema())
  const problems = validator.Check(root) ? [] : problemsOf(validator.Errors(root), root, file)
  const values = new Map<string, unknown>()
  if (problems.length === 0) {
    for (const place of leavesOf(root)) {
      // The schema admits only known settings.
      const setting = settingAt(place)
      try {
        if (setting !== undefined) values.set(pathOf(place), readAt(place, setting, root, file))
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        problems.push(error.message)
      }
    }
  }
  problems.push(...aliasesWithSettings(values, root, file))
  if (problems.length > 0) throw new UsageError(problems.join("\n       "))
  return values
}

/** Reports settings under an alias: they belong to the model's own name. */
function aliasesWithSettings(values: ReadonlyMap<string, unknown>, root: unknown, file: string): string[] {
  // Ensured by the setting's schema.
  const aliases = values.get("aliases") as Aliases | undefined
  const models = valueAt(root, ["models"])
  if (aliases === undefined || !isSection(models)) return []
  return Object.keys(models).flatMap((model) => {
    const known = aliasOf(aliases, model)
    if (known === undefined) return []
    return [
      `models.${model} in ${file} is an alias of '${known.target}'; put the settings below models.${known.target}`,
    ]
  })
}

interface SchemaError {
  readonly keyword: string
  /** JSON pointer. */
  readonly instancePath: string
  readonly params: object
}

/** One sentence for each faulty place. */
function problemsOf(errors: readonly SchemaError[], root: unknown, file: string): string[] {
  const problems = new Map<string, string>()
  for (const { keyword, instancePath, params } of errors) {
    const place = placeOf(instancePath)
    // Each unknown name has an error of its own, besides the one that lists them all.
    if (keyword === "additionalProperties") {
      for (const name of namesIn(params)) {
        problems.set(pathOf([...place, name]), unknownName([...place, name], file))
      }
    } else if (keyword !== "boolean") {
      const known = place.findIndex((_, index) => settingAt(place.slice(0, index + 1)) !== undefined)
      const at = known === -1 ? place : place.slice(0, known + 1)
      if (!problems.has(pathOf(at))) problems.set(pathOf(at), wrongValue(at, root, file))
    }
  }
  return [...problems.values()]
}

function namesIn(params: object): readonly string[] {
  const names: unknown = "additionalProperties" in params ? params.additionalProperties : []
  return Array.isArray(names) ? names.map(String) : []
}

function wrongValue(place: Place, root: unknown, file: string): string {
  const setting = settingAt(place)
  const origin = place.length === 0 ? file : `${shorten(pathOf(place), SHOWN.name)} in ${file}`
  const rule = setting?.value.rule ?? "a section with settings"
  if (setting?.isSecret) return `${origin} must be ${rule}`
  return refusal(origin, rule, shorten(JSON.stringify(valueAt(root, place)), SHOWN.name)).message
}

function unknownName(place: Place, file: string): string {
  const near = nearestPath(place)
  const hint = near === undefined ? "" : `; did you mean '${near}'?`
  return `unknown setting '${shorten(pathOf(place), SHOWN.name)}' in ${file}${hint}`
}

/** A similar name in the same section, or the same name in another one. */
function nearestPath(place: Place): string | undefined {
  const name = place.at(-1) ?? ""
  const section = place.slice(0, -1)
  const near = nearest(name, namesBelow(section))
  if (near !== undefined) return pathOf([...section, near])
  return [...settingsByPath.keys()].find((path) => path.split(".").at(-1) === name)
}

function namesBelow(section: Place): readonly string[] {
  if (section[0] === "models") return [...settingsOfModels.keys()]
  const start = section.map((part) => `${part}.`).join("")
  const below = [...settingsByPath.keys()].filter((path) => path.startsWith(start))
  return [...below.map((path) => path.slice(start.length).split(".")[0] ?? ""), ...(start ? [] : ["models"])]
}

function readAt(place: Place, setting: Setting<unknown>, root: unknown, file: string): unknown {
  return setting.value.read(valueAt(root, place), `${pathOf(place)} in ${file}`)
}

function settingAt(place: Place): Setting<unknown> | undefined {
  if (place[0] === "models" && place.length === 3) return settingsOfModels.get(place[2] ?? "")
  return settingsByPath.get(place.join("."))
}

function pathOf(place: Place): string {
  return place.join(".")
}

/** `/models/a~1b/ctx` → `models`, `a/b`, `ctx` */
function placeOf(pointer: string): Place {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function valueAt(root: unknown, place: Place): unknown {
  return place.reduce<unknown>((value, name) => (isSection(value) ? value[name] : undefined), root)
}

function leavesOf(value: unknown, place: Place = []): readonly Place[] {
  // A setting's value may be an object itself.
  if (!isSection(value) || settingAt(place) !== undefined) return [place]
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, [...place, name]))
}

/** In YAML a section whose lines are all commented out is `null`. */
function withoutEmptySections(value: unknown, place: Place = []): unknown {
  if (value === null && settingAt(place) === undefined) return {}
  if (!isSection(value) || settingAt(place) !== undefined) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, withoutEmptySections(inner, [...place, name])]),
  )
}
