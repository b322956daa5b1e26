import Type from "typebox"
import type { TSchema } from "typebox"
import { allSettings, perModelSettings } from "./schema"
import type { Setting } from "./setting"

/** A setting, or settings with a common path prefix. */
type Node = Setting<unknown> | Map<string, Node>

/**
 * The schema of a configuration file, built from the tables of settings. Slow to load: import this module only
 * where there is a file.
 */
export function fileSchema(): TSchema {
  const properties = toProperties(treeOf(Object.values(allSettings)))
  const models = Type.Record(Type.String(), modelSchema(), { description: "settings of one model" })
  return Type.Object({ ...properties, models: Type.Optional(models) }, { additionalProperties: false })
}

function modelSchema(): TSchema {
  const inDefaults = treeOf(Object.values(perModelSettings)).get("defaults")
  if (!(inDefaults instanceof Map)) throw new Error("settings of models are to be under 'defaults'")
  return Type.Object(toProperties(inDefaults, false), { additionalProperties: false })
}

/** `server.port` and `server.host` → `server` → `port`, `host` */
function treeOf(settings: readonly Setting<unknown>[]): Map<string, Node> {
  const root = new Map<string, Node>()
  for (const setting of settings) {
    const parts = setting.path.split(".")
    const last = parts.pop() ?? ""
    let section = root
    for (const part of parts) {
      const known = section.get(part)
      const next = known instanceof Map ? known : new Map<string, Node>()
      section.set(part, next)
      section = next
    }
    section.set(last, setting)
  }
  return root
}

function toProperties(section: Map<string, Node>, withDefaults = true): Record<string, TSchema> {
  const entries = Array.from(section, ([name, node]) => [name, Type.Optional(toSchema(node, withDefaults))])
  return Object.fromEntries(entries)
}

function toSchema(node: Node, withDefaults: boolean): TSchema {
  if (node instanceof Map) {
    return Type.Object(toProperties(node, withDefaults), { additionalProperties: false })
  }
  const { value, description, fallback } = node
  return Type.Unsafe({
    ...value.schema,
    description,
    ...(withDefaults && { default: typeof fallback === "object" ? value.show(fallback) : fallback }),
  })
}
