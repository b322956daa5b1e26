import { basename, resolve } from "node:path"
import { readSettings } from "../../../config/resolve"
import { storeSettings } from "../../../config/sections/pull"
import { integer, text } from "../../../config/values"
import { CONVERT } from "../../../limits"
import { defineCommand } from "../../args/command"
import { configFlag, grouped, switchFlag } from "../../args/flags"
import { isPath } from "../../args/model-path"
import { jobRunner } from "../../jobs/run-job"
import { openStore } from "../../models/open-store"
import { printable, toJson } from "../../terminal/output"
import { exitCodeOf, watchSignals } from "../../terminal/signals"
import { startSpinner } from "../../terminal/spinner"

const MAX_THREADS = 1024
/** As llama.cpp's own tool. */
const CHUNK_TOKENS = 512

export const command = defineCommand({
  name: "imatrix",
  summary: "Find out which weights matter, for smaller types",
  words: "MODEL TEXT",
  minimumWords: 2,
  maximumWords: 2,
  details: `MODEL is a GGUF or an installed model, with weights of 16 bits at best, and TEXT a file with text like what it will be used for:
some hundred kilobytes, in all languages that matter. The model reads it in pieces; what each tensor is multiplied with
is summed up in an importance matrix, which 'xllm quantize --imatrix' uses, and llama.cpp's tools too.`,
  examples: [
    { line: "xllm imatrix ./my-model-F16.gguf calibration.txt", does: "to my-model-F16.imatrix.gguf" },
    {
      line: "xllm imatrix my-model calibration.txt --chunks 100 -o m.gguf",
      does: "with the first 51,200 tokens",
    },
    {
      line: "xllm quantize ./my-model-F16.gguf IQ2_M --imatrix my-model-F16.imatrix.gguf",
      does: "what it is for",
    },
  ],
  flags: {
    out: { value: text("FILE"), description: "the result (default: named after the model)", short: "o" },
    chunks: {
      value: integer("COUNT", 1, Number.MAX_SAFE_INTEGER),
      description: "read only so many pieces (default: all)",
    },
    chunkTokens: {
      value: integer("TOKENS", CONVERT.importanceChunk.min, CONVERT.importanceChunk.max),
      description: `tokens of a piece (default ${CHUNK_TOKENS})`,
    },
    processOutput: switchFlag("for the output tensor too"),
    parseSpecial: switchFlag("recognize special tokens in the text"),
    threads: {
      value: integer("COUNT", 1, MAX_THREADS),
      description: "threads (default: all cores)",
      short: "t",
    },
    gpuLayers: {
      value: integer("COUNT", 0, CONVERT.parts),
      description: "layers on the GPU (default: all, where there is one)",
    },
    force: switchFlag("replace an existing file", "f"),
    json: switchFlag("print JSON"),
    ...grouped(storeSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [model = "", textFile = ""], io }) {
    const settings = await readSettings(flags, io.environment)
    const source = isPath(model) ? resolve(model) : (await (await openStore(settings)).resolve(model)).path
    const stem = isPath(model) ? basename(model).replace(/\.gguf$/i, "") : model.replaceAll(/[/:]/g, "-")
    const out = resolve(flags.out ?? `${stem}.imatrix.gguf`)
    const { makeImportance } = await import("../../../convert/make-importance")
    using signals = watchSignals()
    const spinner = startSpinner(io)
    spinner.say("loading the model")
    const startedAt = performance.now()
    try {
      const { tensors, chunks } = await makeImportance({
        source,
        out,
        options: {
          text: textFile,
          chunkTokens: flags.chunkTokens ?? CHUNK_TOKENS,
          ...(flags.chunks !== undefined && { maxChunks: flags.chunks }),
          ...(flags.threads !== undefined && { threads: flags.threads }),
          withOutput: flags.processOutput === true,
          parseSpecial: flags.parseSpecial === true,
          ...(flags.gpuLayers !== undefined && { gpuLayers: flags.gpuLayers }),
        },
        mayReplace: flags.force === true,
        signal: signals.signal,
        runJob: jobRunner(settings, "the importance matrix"),
        onProgress: (done, total) => {
          const left = ((performance.now() - startedAt) / done) * (total - done)
          spinner.say(`${done} of ${total} pieces, ${Math.ceil(left / 1000)} s left`)
        },
      })
      spinner.stop()
      if (flags.json === true) return io.write(toJson({ path: out, tensors: tensors.length, chunks }))
      io.write(`wrote ${printable(out)}: ${tensors.length} tensors, ${chunks} pieces of the text\n`)
    } catch (error) {
      spinner.stop()
      if (!signals.signal.aborted) throw error
      io.writeError("stopped; nothing was written\n")
      process.exitCode = exitCodeOf(signals.signal)
    } finally {
      spinner.stop()
    }
  },
})
