import { lstatSync, statSync } from "node:fs"
import { extname, join, resolve } from "node:path"
import { reasonOf } from "../errors/base"
import { UsageError } from "../errors/cli"
import { FileFailed } from "../errors/store"
import { readBounded } from "../lib/system/read-bounded"
import { jsonFaultLine } from "../lib/text/json-fault"
import type { Environment } from "./environment"
import { findPaths } from "./paths"
import { faultyLine } from "./yaml-line"

/** A valid configuration file. */
export interface ConfigFile {
  readonly path: string
  /** Its values, by the settings' paths; those of one model under `models.NAME.KEY`. */
  readonly values: ReadonlyMap<string, unknown>
}

/** Enough for every setting of a thousand models. */
const MAX_BYTES = 1024 ** 2

const NAMES = ["config.yaml", "config.json"] as const

/**
 * The file to read: the named one, otherwise the one in xLLM's home, if there is one.
 * @param named the value of `--config`
 * @throws UsageError where there are two candidates; FileFailed where the named one does not exist
 */
export function findConfigFile(named: string | undefined, environment: Environment): string | undefined {
  const variable = environment["XLLM_CONFIG"]
  const [chosen, origin] = named === undefined ? [variable, "XLLM_CONFIG"] : [named, "--config"]
  if (chosen) {
    const path = resolve(chosen)
    try {
      statSync(path)
    } catch (error) {
      throw new FileFailed("read", `the configuration file ${path} (named by ${origin})`, error)
    }
    return path
  }
  const { home } = findPaths(environment)
  const found = NAMES.map((name) => join(home, name)).filter(isThere)
  if (found.length > 1) throw new UsageError(`there are both ${found.join(" and ")}; keep one of them`)
  return found[0]
}

/** A link counts wherever it leads: reading it will report problems. @throws FileFailed */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    throw new FileFailed("read", `the configuration file ${path}`, error)
  }
}

/** Where a configuration file would be found if one were created. */
export function usualConfigFile(environment: Environment): string {
  return join(findPaths(environment).home, NAMES[0])
}

/**
 * Reads and checks a configuration file.
 * @throws UsageError that names the file and all faults in it; FileFailed
 */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const given = parse(await textOf(path), path)
  // Slow to load, and most users have no file.
  const { checkConfig } = await import("./check")
  return { path, values: checkConfig(given, path) }
}

async function textOf(path: string): Promise<string> {
  const bytes = await readBounded(path, MAX_BYTES).catch((error: unknown) => {
    throw new FileFailed("read", `the configuration file ${path}`, error)
  })
  if (bytes === undefined)
    throw new UsageError(`${path} is larger than the limit for a configuration file (1 MiB)`)
  return new TextDecoder().decode(bytes)
}

function parse(text: string, path: string): unknown {
  const isJson = extname(path).toLowerCase() === ".json"
  try {
    return isJson ? JSON.parse(text) : Bun.YAML.parse(text)
  } catch (error) {
    const [format, line] = isJson ? ["JSON", jsonFaultLine(text) ?? 1] : ["YAML", faultyLine(text)]
    throw new UsageError(`invalid ${format} in ${path}, line ${line}: ${reasonOf(error)}`)
  }
}
