import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { tryJson } from "../../lib/json"

/** The number of lines to keep. */
export const HISTORY_SIZE = 1000

/** The longest entry to keep, in characters. */
const LONGEST_ENTRY = 64 * 1024

/**
 * One line of the file per entry. Entries with several lines, or that could be mistaken for JSON, are written as
 * JSON.
 */
function encode(entry: string): string {
  return entry.includes("\n") || decode(entry) !== entry ? JSON.stringify(entry) : entry
}

function decode(line: string): string {
  const value = line.startsWith('"') ? tryJson(line) : undefined
  return typeof value === "string" ? value : line
}

/**
 * The input of past conversations, in a file that only its owner can read. A file that cannot be used is not an
 * error.
 */
export class History {
  readonly #path: string
  isOn = true

  constructor(path: string) {
    this.#path = path
  }

  /** Oldest first. Truncates the file when it is twice as long as needed. */
  async load(): Promise<readonly string[]> {
    const text = await readFile(this.#path, "utf8").catch(() => "")
    const lines = text.split("\n").filter((line) => line !== "")
    const kept = lines.slice(-HISTORY_SIZE)
    if (lines.length > 2 * HISTORY_SIZE) await this.#replace(kept).catch(() => {})
    return kept.map(decode)
  }

  /** Keeps what was typed or pasted, unless it is too long to be useful again. */
  async add(entry: string): Promise<void> {
    if (!this.isOn || entry.trim() === "" || entry.length > LONGEST_ENTRY) return
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
      await appendFile(this.#path, `${encode(entry)}\n`, { mode: 0o600 })
    } catch {
      // A read-only home directory must not end the conversation.
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
