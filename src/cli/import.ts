import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { storeSettings } from "../config/schema"
import { gatherInputs, modelsFolder } from "../config/settings"
import { text } from "../config/values"
import { FileFailed, UsageError } from "../errors"
import type { Store } from "../store/contract"
import { defineCommand } from "./command"
import { configFlag, type FlagValues, grouped, switchFlag } from "./flags"
import { watchInterrupts } from "./interrupts"
import type { Io } from "./io"
import { formatBytes } from "./output"
import { type Spinner, startSpinner } from "./spinner"

const flagTable = {
  name: { value: text("NAME"), description: "name of the model (default: as the archive says)" },
  force: switchFlag("replace another model of that name", "f"),
  ...grouped(storeSettings, "Flags"),
  ...configFlag,
}

export const command = defineCommand({
  name: "import",
  summary: "Install a model from a file",
  words: "FILE",
  minimumWords: 1,
  maximumWords: 1,
  details: `FILE is an archive that 'xllm export' has written, or - for one from stdin. Everything in it is verified before
anything is installed.`,
  examples: [
    { line: "xllm import my-model.tar.zst", does: "install it under the name that it had" },
    { line: "xllm import my-model.tar.zst --name copy:v2", does: "under another one" },
    { line: "ssh box xllm export my-model - | xllm import -", does: "from another machine" },
  ],
  flags: flagTable,
  async run({ flags, words: [file = ""], io }) {
    const { createStore } = await import("../store")
    const store = createStore({ modelsFolder: modelsFolder(await gatherInputs(flags, io.environment)) })
    using interrupts = watchInterrupts()
    const spinner = startSpinner(io)
    try {
      const name = await importFile({ file, store, flags, io, spinner, signal: interrupts.signal })
      spinner.stop()
      io.write(`imported '${name}'\n`)
    } finally {
      spinner.stop()
    }
  },
})

interface Import {
  readonly file: string
  readonly store: Store
  readonly flags: FlagValues<typeof flagTable>
  readonly io: Io
  readonly spinner: Spinner
  readonly signal: AbortSignal
}

async function importFile({ file, store, flags, io, spinner, signal }: Import): Promise<string> {
  const [{ importArchive }, { parseModelName }] = await Promise.all([
    import("../store/archive/import"),
    import("../store/names"),
  ])
  const { bytes, totalBytes } = await open(file, io)
  const summary = await importArchive({
    store,
    archive: file === "-" ? "stdin" : file,
    bytes,
    ...(flags.name !== undefined && { name: parseModelName(flags.name) }),
    replace: flags.force === true,
    onProgress: (done) => spinner.say(`importing ${progress(done, totalBytes)}`),
    signal,
  })
  return summary.name
}

async function open(
  file: string,
  io: Io,
): Promise<{ readonly bytes: AsyncIterable<Uint8Array>; readonly totalBytes?: number }> {
  if (file === "-") {
    if (io.stdinIsTerminal) throw new UsageError("an archive is not typed; pipe it in, or name a FILE")
    return { bytes: process.stdin }
  }
  const stats = await stat(file).catch((error: unknown) => {
    throw new FileFailed("read", file, error)
  })
  if (!stats.isFile()) throw new UsageError(`${file} is not a file`)
  return { bytes: createReadStream(file), totalBytes: stats.size }
}

function progress(done: number, total: number | undefined): string {
  if (total === undefined) return formatBytes(done)
  return `${Math.floor((100 * done) / Math.max(1, total))}% of ${formatBytes(total)}`
}
