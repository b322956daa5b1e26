import { homedir } from "node:os"
import { join, resolve } from "node:path"
import type { Environment } from "./environment"

/** The locations of xLLM's files. */
export interface Paths {
  /** `~/.xllm`, or the value of `XLLM_HOME`. */
  readonly home: string
  readonly models: string
  /** Adapters. */
  readonly loras: string
  /** Native components, extracted on first use. */
  readonly runtime: string
  /** Generated images that are fetched by URL. */
  readonly images: string
  /** Responses that later requests may continue. */
  readonly responses: string
  /** Files uploaded with requests, each until its request ends. */
  readonly uploads: string
  /** Evaluated prompts, kept from one load of a model to the next. */
  readonly prompts: string
  /** What was measured of models on this machine. */
  readonly profiles: string
  /** Public keys whose signatures are trusted. */
  readonly keys: string
  /** Input history of `run`. */
  readonly history: string
  /** Traces of defects that ended a command. */
  readonly errors: string
}

/** Computes the paths; creates nothing. */
export function findPaths(environment: Environment): Paths {
  const moved = environment["XLLM_HOME"]
  // homedir() reads the password database, so an empty environment has a home too.
  const home = moved ? resolve(moved) : join(homedir(), ".xllm")
  return {
    home,
    models: join(home, "models"),
    loras: join(home, "loras"),
    runtime: join(home, "runtime"),
    images: join(home, "images"),
    responses: join(home, "responses", "responses.sqlite"),
    uploads: join(home, "uploads"),
    prompts: join(home, "cache", "kv"),
    profiles: join(home, "cache", "profiles"),
    keys: join(home, "keys"),
    history: join(home, "history"),
    errors: join(home, "errors.log"),
  }
}
