import { readdirSync, readFileSync, statSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { join } from "node:path"
import type { BatchCost } from "../domain/batch-cost"
import { toRecord, recordsAt, recordAt, numberAt, textAt } from "../lib/json"
import { sha256 } from "../lib/sha256"
import { llamaVersion } from "../native/llama-version"
import { version } from "../version"
import type { Paths } from "./paths"

/** What `xllm profile` found out about a model on this machine, as far as loading it is concerned. */
export interface ModelProfile {
  /** The model's name when it was measured. */
  readonly model: string
  readonly digest: string
  /** By the settings' names in a file. */
  readonly settings: ReadonlyMap<string, unknown>
  readonly batchCosts: readonly BatchCost[]
}

/** Larger files are not ours. */
const MOST_BYTES = 1024 ** 2

/** The file with the facts about a model: one for each version of it, machine, and build of this program. */
export function profilePath({ profiles }: Paths, digest: string): string {
  return join(profiles, `${sha256(`${digest}\n${thisMachine()}\n${thisBuild()}`)}.json`)
}

function thisMachine(): string {
  const all = cpus()
  return `${all[0]?.model.trim() ?? "unknown"} ${all.length} ${totalmem()}`
}

function thisBuild(): string {
  return `${version} ${process.arch} ${llamaVersion()}`
}

/** Undefined where there is none, or it cannot be used. */
export function readProfile(paths: Paths, digest: string): ModelProfile | undefined {
  return readFile(profilePath(paths, digest), digest)
}

/** Those of all models, in the order of their names. */
export function readProfiles(paths: Paths): readonly ModelProfile[] {
  return filesIn(paths.profiles)
    .flatMap((name) => {
      const profile = readFile(join(paths.profiles, name))
      // Files of other builds have other names.
      return profile !== undefined && profilePath(paths, profile.digest).endsWith(name) ? [profile] : []
    })
    .sort((a, b) => a.model.localeCompare(b.model))
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".json"))
  } catch {
    return []
  }
}

function readFile(path: string, digest?: string): ModelProfile | undefined {
  try {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? Infinity) > MOST_BYTES) return undefined
    const facts = toRecord(JSON.parse(readFileSync(path, "utf8"))) ?? {}
    const model = recordAt(facts, "model")
    const [name, measured] = [textAt(model, "name"), textAt(model, "digest")]
    // What was measured beside other programs is no reason to change anything.
    if (facts["steady"] !== true) return undefined
    if (name === undefined || measured === undefined || (digest ?? measured) !== measured) return undefined
    return {
      model: name,
      digest: measured,
      settings: new Map(
        recordsAt(facts, "settings").flatMap((setting) => {
          const key = textAt(setting, "name")
          return key === undefined ? [] : [[key, setting["value"]] as const]
        }),
      ),
      batchCosts: recordsAt(facts, "batchCosts").flatMap((cost) => {
        const [tokens, ms] = [numberAt(cost, "tokens"), numberAt(cost, "ms")]
        return tokens === undefined || ms === undefined || !(tokens >= 1 && ms > 0) ? [] : [{ tokens, ms }]
      }),
    }
  } catch {
    // Damaged, or unreadable: nothing depends on it.
    return undefined
  }
}
