import { resolve } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { readSettings } from "../../config/resolve"
import { storeSettings } from "../../config/sections/pull"
import { XllmError } from "../../errors/base"
import { UsageError } from "../../errors/cli"
import { Cancelled } from "../../errors/request"
import { FileFailed } from "../../errors/store"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { nameOf } from "../args/model-path"
import { openExistingStore } from "../models/models-folder"
import { formatBytes, percentOf, printable, toJson } from "../terminal/output"
import { fileOutput, type OutputTarget, stdoutOutput } from "../terminal/output-file"
import { watchSignals } from "../terminal/signals"
import { startSpinner } from "../terminal/spinner"

export const command = defineCommand({
  name: "export",
  summary: "Export a model to one file",
  words: "MODEL FILE",
  minimumWords: 2,
  maximumWords: 2,
  details: `Writes an archive (tar, compressed with zstd) with everything that belongs to the model: its files, adapters,
parameters and texts, with SHA-256 checksums. 'xllm import' installs it elsewhere; - writes it to stdout.`,
  examples: [
    { line: "xllm export my-model my-model.tar.zst", does: "for a backup, or another machine" },
    { line: "xllm export my-model - | ssh box xllm import -", does: "straight to another machine" },
  ],
  flags: {
    json: switchFlag("print JSON; needs a FILE"),
    ...grouped(storeSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [model = "", file = ""], io }) {
    if (file === "-" && flags.json) {
      throw new UsageError("with --json a FILE is needed: the archive would be on stdout too")
    }
    if (file === "-" && io.stdoutIsTerminal) {
      throw new UsageError("refusing to write an archive to a terminal; name a FILE, or pipe the output")
    }
    const { exportModel } = await import("../../store/archive/export")
    const settings = await readSettings(flags, io.environment)
    const { store } = await openExistingStore(settings, io)
    const name = await nameOf(model, store)
    using signals = watchSignals()
    const archive = await exportModel(store, name)
    // Opened before anything is read, because it may not be writable.
    await using output = file === "-" ? stdoutOutput(io) : await fileOutput(file)
    const spinner = startSpinner(io)
    try {
      const bytes = archive.read((done) =>
        spinner.say(
          `exporting ${percentOf(done, archive.totalBytes)}% of ${formatBytes(archive.totalBytes)}`,
        ),
      )
      await writeArchive(bytes, file === "-" ? undefined : output, signals.signal)
    } catch (error) {
      throw signals.signal.aborted ? new Cancelled() : store.explain(error)
    } finally {
      spinner.stop()
    }
    if (file === "-") return
    if (flags.json) io.write(toJson({ model: name, file: resolve(file), size_bytes: Bun.file(file).size }))
    else io.write(`exported '${printable(name)}' to '${printable(file)}'\n`)
  },
})

/** @param output absent: stdout, which may be slow */
async function writeArchive(
  bytes: Readable,
  output: OutputTarget | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (output === undefined) {
    return await pipeline(bytes, process.stdout, { signal, end: false }).catch((error: unknown) => {
      // Errors from reading a file have a path.
      const isOfFile = error instanceof XllmError || (error instanceof Error && "path" in error)
      throw isOfFile ? error : new FileFailed("write to", "stdout", error)
    })
  }
  for await (const chunk of bytes) {
    signal.throwIfAborted()
    await output.write(chunk)
  }
  await output.finish()
}
