import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { optionalDependencies } from "../../../package.json"

const release = optionalDependencies["@node-llama-cpp/linux-x64"]
const FOLDER = join(import.meta.dir, `../../../.cache/llama-source-${release}/models/templates`)

/** Are llama.cpp's sample chat templates there? Otherwise tests that need them are skipped, with a note. */
export function hasSampleTemplates(): boolean {
  if (existsSync(FOLDER)) return true
  console.warn("skipped: no sample chat templates; run 'bun scripts/llama-source.ts'")
  return false
}

/** The names of all. */
export function sampleTemplateNames(): string[] {
  return readdirSync(FOLDER).flatMap((file) => (file.endsWith(".jinja") ? [file.slice(0, -6)] : []))
}

export function sampleTemplate(name: string): string {
  return readFileSync(join(FOLDER, `${name}.jinja`), "utf8")
}
