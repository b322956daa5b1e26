import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { storeSettings } from "../config/schema"
import { gatherInputs } from "../config/settings"
import { Cancelled, FileFailed, UsageError, XllmError } from "../errors"
import { defineCommand } from "./command"
import { configFlag, grouped } from "./flags"
import { watchInterrupts } from "./interrupts"
import { nameOf } from "./model-path"
import { existingModelsFolder } from "./models-folder"
import { formatBytes, percentOf } from "./output"
import { fileOutput, type Output } from "./output-file"
import { startSpinner } from "./spinner"

export const command = defineCommand({
  name: "export",
  summary: "Write a model to one file",
  words: "MODEL FILE",
  minimumWords: 2,
  maximumWords: 2,
  details: `FILE becomes an archive (tar, compressed with zstd) with everything that belongs to the model: its files, adapters,
parameters and texts, and their SHA-256 sums. 'xllm import' installs it elsewhere; - writes it to stdout.`,
  examples: [
    { line: "xllm export my-model my-model.tar.zst", does: "for a backup, or another machine" },
    { line: "xllm export my-model - | ssh box xllm import -", does: "to another machine at once" },
  ],
  flags: { ...grouped(storeSettings, "Flags"), ...configFlag },
  async run({ flags, words: [model = "", file = ""], io }) {
    if (file === "-" && io.stdoutIsTerminal) {
      throw new UsageError("an archive is not for a terminal; name a FILE, or pipe the output")
    }
    const [{ createStore }, { exportModel }] = await Promise.all([
      import("../store"),
      import("../store/archive/export"),
    ])
    const inputs = await gatherInputs(flags, io.environment)
    const store = createStore({ modelsFolder: await existingModelsFolder(inputs) })
    const name = await nameOf(model, store)
    using interrupts = watchInterrupts()
    const spinner = startSpinner(io)
    try {
      const archive = await exportModel(store, name)
      const bytes = archive.read((done) =>
        spinner.say(
          `exporting ${percentOf(done, archive.totalBytes)}% of ${formatBytes(archive.totalBytes)}`,
        ),
      )
      await writeArchive(bytes, file, interrupts.signal)
    } finally {
      spinner.stop()
    }
    if (file !== "-") io.write(`exported '${name}' to '${file}'\n`)
  },
})

async function writeArchive(bytes: Readable, file: string, signal: AbortSignal): Promise<void> {
  try {
    if (file === "-") await pipeline(bytes, process.stdout, { signal, end: false })
    else await writeTo(await fileOutput(file), bytes, signal)
  } catch (error) {
    if (signal.aborted) throw new Cancelled()
    throw error instanceof XllmError ? error : new FileFailed("write", file, error)
  }
}

async function writeTo(output: Output, bytes: Readable, signal: AbortSignal): Promise<void> {
  await using file = output
  for await (const chunk of bytes) {
    signal.throwIfAborted()
    await file.write(chunk)
  }
  await file.finish()
}
