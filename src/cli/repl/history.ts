import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { tryJson } from "../../lib/json"

/** Lines that are kept. */
export const HISTORY_SIZE = 1000

/** Letters of an entry that is kept. */
const LONGEST_ENTRY = 64 * 1024

/** A line of the file for each entry: those with several lines, and what could be taken for one, are JSON. */
function encode(entry: string): string {
  return entry.includes("\n") || decode(entry) !== entry ? JSON.stringify(entry) : entry
}

function decode(line: string): string {
  const value = line.startsWith('"') ? tryJson(line) : undefined
  return typeof value === "string" ? value : line
}

/** What was typed into conversations, in a file that only its owner can read. A file that cannot be had is no error. */
export class History {
  readonly #path: string
  isOn = true

  constructor(path: string) {
    this.#path = path
  }

  /** Oldest first; shortens the file when it has become twice as long as needed. */
  async load(): Promise<readonly string[]> {
    const text = await readFile(this.#path, "utf8").catch(() => "")
    const lines = text.split("\n").filter((line) => line !== "")
    const kept = lines.slice(-HISTORY_SIZE)
    if (lines.length > 2 * HISTORY_SIZE) await this.#replace(kept).catch(() => {})
    return kept.map(decode)
  }

  /** Keeps what was typed or pasted; what is very long is not typed again. */
  async add(entry: string): Promise<void> {
    if (!this.isOn || entry.trim() === "" || entry.length > LONGEST_ENTRY) return
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
      await appendFile(this.#path, `${encode(entry)}\n`, { mode: 0o600 })
    } catch {
      // A read-only home is no reason to end a conversation.
      this.isOn = false
    }
  }

  async #replace(lines: readonly string[]): Promise<void> {
    const temporary = `${this.#path}.${process.pid}.tmp`
    try {
      await writeFile(temporary, `${lines.join("\n")}\n`, { mode: 0o600 })
      await rename(temporary, this.#path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }
}
