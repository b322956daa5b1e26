/**
 * A process that works on a models folder, for tests of concurrent processes: `store-child.ts FOLDER TASK
 * [ARGUMENTS]`. It prints `ready`, waits for a line on stdin, and reports each step that it has completed.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { createStore } from "../../src/store"
import type { Digest } from "../../src/store/managed/manifest"
import { parseModelName } from "../../src/store/names"
import { manifestOf } from "./files/models-folder"

const [folder = "", task = "", ...rest] = process.argv.slice(2)
const store = createStore({ modelsFolder: folder })

async function install(name: string, ...texts: readonly string[]): Promise<void> {
  const files = []
  for (const [index, text] of texts.entries()) {
    const blob = await store.blobs.addBytes(new TextEncoder().encode(text))
    files.push({ name: `part-${index}.onnx`, role: "file" as const, ...blob })
    tell(`blob ${index}`)
  }
  await store.install(parseModelName(name), manifestOf(files, { kind: "tts" }))
}

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** Installs models that share one file: NAME... */
  async shared() {
    for (const name of rest) {
      await install(name, "shared by all", `only of ${name}`)
      tell(`installed ${name}`)
    }
  },
  /** Removes models: NAME... */
  async remove() {
    for (const name of rest) tell(`freed ${(await store.remove(name)).freedBytes}`)
  },
  /** Replaces one model repeatedly: NAME TIMES */
  async replace() {
    const [name = "", times = "0"] = rest
    for (let time = 0; time < Number(times); time++) await install(name, `version ${time % 2}`, "same")
  },
  /** Installs medium-sized files until it is killed. */
  async forever() {
    for (let round = 0; ; round++) {
      const path = join(folder, `../source-${process.pid}`)
      writeFileSync(path, Buffer.alloc(3_000_000, `${process.pid}.${round}`))
      const blob = await store.blobs.addFile(path)
      tell("copied")
      const files = [{ name: "m.gguf", role: "model" as const, ...blob }]
      await store.install(parseModelName(`m${round % 3}`), manifestOf(files))
      tell("installed")
      await install(`voice${round % 2}`, "a".repeat(round * 10_000), "b")
      tell("installed")
    }
  },
  /** Exits in the middle of its work, as on a second Ctrl-C. */
  async quit() {
    await store.blobs.addBytes(new TextEncoder().encode("never installed"))
    const { path } = await store.blobs.openWorkspace()
    writeFileSync(join(path, "half"), "half")
    tell("working")
    process.exit(1)
  },
  /** Holds blobs until told to stop: DIGEST... */
  async hold() {
    // The arguments from the test are digests.
    await using _held = await store.blobs.hold(rest as Digest[])
    tell("holding")
    await line()
  },
}

const input = Bun.stdin.stream().getReader()

function tell(what: string): void {
  process.stdout.write(`${what}\n`)
}

async function line(): Promise<void> {
  await input.read()
}

tell("ready")
await line()
await tasks[task]?.()
tell("done")
process.exit(0)
