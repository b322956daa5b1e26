import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { extname, join, resolve } from "node:path"
import { UsageError } from "../errors"
import { SETTINGS } from "../limits"
import type { Environment } from "./environment"
import { findPaths } from "./paths"

/** A configuration file that was read and found right. */
export interface ConfigFile {
  readonly path: string
  /** What it says, by the settings' paths; of one model under `models.NAME.KEY`. */
  readonly values: ReadonlyMap<string, unknown>
}

const NAMES = ["config.yaml", "config.json"] as const

/**
 * The file to read: the one that is named, otherwise the one in xLLM's home, if there is one.
 * @param named what `--config` says
 * @throws UsageError where two could be meant, and where a named one is not there
 */
export function findConfigFile(named: string | undefined, environment: Environment): string | undefined {
  const variable = environment["XLLM_CONFIG"]
  const [chosen, origin] = named === undefined ? [variable, "XLLM_CONFIG"] : [named, "--config"]
  if (chosen) {
    const path = resolve(chosen)
    if (!existsSync(path)) throw new UsageError(`${origin} names ${chosen}, which does not exist`)
    return path
  }
  const { home } = findPaths(environment)
  const found = NAMES.map((name) => join(home, name)).filter(existsSync)
  if (found.length > 1) throw new UsageError(`there are both ${found.join(" and ")}; keep one of them`)
  return found[0]
}

/**
 * Reads and checks a configuration file.
 * @throws UsageError that names the file and everything that is wrong in it
 */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const given = parse(await textOf(path), path)
  // Slow to load, and most people have no file.
  const { checkConfig } = await import("./check")
  return { path, values: checkConfig(given, path) }
}

async function textOf(path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8")
    if (text.length <= SETTINGS.fileBytes) return text
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${wordsOf(error)}`)
  }
  throw new UsageError(
    `${path} is larger than ${SETTINGS.fileBytes / 1024 ** 2} MB, which no configuration is`,
  )
}

function parse(text: string, path: string): unknown {
  const isJson = extname(path).toLowerCase() === ".json"
  try {
    return isJson ? JSON.parse(text) : Bun.YAML.parse(text)
  } catch (error) {
    throw new UsageError(`${path} is no ${isJson ? "JSON" : "YAML"}: ${wordsOf(error)}`)
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
