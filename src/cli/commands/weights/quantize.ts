import { basename, dirname, join, resolve } from "node:path"
import { readSettings } from "../../../config/resolve"
import { storeSettings } from "../../../config/sections/pull"
import { bytes, integer, text } from "../../../config/values"
import type { MetadataOverride } from "../../../domain/quantize"
import type { QuantizeRequest, QuantizeResult } from "../../../convert/quantize"
import type { QuantizeType } from "../../../convert/quantize-types"
import { UsageError } from "../../../errors/cli"
import { parseSplitName } from "../../../formats/gguf/split"
import { defineCommand } from "../../args/command"
import { configFlag, grouped, switchFlag } from "../../args/flags"
import { isPath } from "../../args/model-path"
import { layerList, metadataOverride, readTypeRules, typeRule, type TypeRules } from "../../args/weight-flags"
import { jobRunner } from "../../jobs/run-job"
import { openStore } from "../../models/open-store"
import { formatBytes, printable, table, toJson } from "../../terminal/output"
import { exitCodeOf, watchSignals } from "../../terminal/signals"
import { startSpinner } from "../../terminal/spinner"

const MAX_THREADS = 1024

export const command = defineCommand({
  name: "quantize",
  summary: "Make a model's weights smaller",
  words: "MODEL TYPE[,TYPE…]",
  minimumWords: 1,
  maximumWords: 2,
  details: `MODEL is a GGUF with weights of 16 or 32 bits, or the name of an installed model. The types are those of llama.cpp, in any letter case:
Q8_0, Q6_K, Q5_K_M, Q4_K_M (the default) and so on, down to Q2_K; those below need an importance matrix.

A tensor whose number of columns does not fit a type gets the next larger one. 'xllm compare' shows what it costs.`,
  examples: [
    { line: "xllm quantize ./my-model-BF16.gguf Q4_K_M", does: "to my-model-Q4_K_M.gguf" },
    { line: "xllm quantize ./my-model-BF16.gguf Q8_0,Q5_K_M,Q4_K_M", does: "several at once" },
    {
      line: "xllm quantize ./my-model-BF16.gguf IQ2_M --imatrix my-model.imatrix.gguf",
      does: "with what matters",
    },
    { line: "xllm quantize ./my-model-BF16.gguf Q4_K_M --dry-run", does: "show the size" },
  ],
  flags: {
    out: {
      value: text("FILE"),
      description: "the result, for one type (default: named after the type)",
      short: "o",
    },
    imatrix: { value: text("FILE"), description: "importance matrix, a GGUF" },
    tensorType: {
      value: typeRule,
      description: "type of the tensors whose names match, such as attn_q=q8_0; may be repeated",
      combine: (earlier: TypeRules, later: TypeRules): TypeRules => [...earlier, ...later],
    },
    tensorTypeFile: {
      value: text("FILE"),
      description: "the same from a file, separated by spaces or lines",
    },
    outputTensorType: { value: text("TYPE"), description: "type of the output tensor" },
    tokenEmbeddingType: { value: text("TYPE"), description: "type of the embeddings" },
    leaveOutputTensor: switchFlag("do not quantize the output tensor"),
    pure: switchFlag("one type for all tensors"),
    allowRequantize: switchFlag("quantize tensors again that are quantized already"),
    keepSplit: switchFlag("write as many files as the model has"),
    pruneLayers: { value: layerList, description: "leave out these layers, such as 20,21" },
    overrideKv: {
      value: metadataOverride,
      description: "set a key of the result, such as general.name=str:mine; may be repeated",
      combine: (earlier: readonly MetadataOverride[], later: readonly MetadataOverride[]) => [
        ...earlier,
        ...later,
      ],
    },
    threads: {
      value: integer("COUNT", 1, MAX_THREADS),
      description: "threads (default: all cores)",
      short: "t",
    },
    maxBufferSize: { value: bytes, description: "rows of a tensor in memory at once (default 8 GiB)" },
    dryRun: switchFlag("show the sizes, and write nothing"),
    force: switchFlag("replace existing files", "f"),
    json: switchFlag("print JSON"),
    ...grouped(storeSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [model = "", given], io }) {
    const settings = await readSettings(flags, io.environment)
    const [{ DEFAULT_QUANTIZE_TYPE, findQuantizeType, tensorTypeNumber }, { quantizeGguf }] =
      await Promise.all([import("../../../convert/quantize-types"), import("../../../convert/quantize")])
    const types = (given ?? DEFAULT_QUANTIZE_TYPE).split(",").map(findQuantizeType)
    if (flags.out !== undefined && types.length > 1)
      throw new UsageError("--out names one file, and there are several types")
    const source = isPath(model) ? resolve(model) : (await (await openStore(settings)).resolve(model)).path
    const { readImportance } = await import("../../../convert/importance")
    const importance = flags.imatrix === undefined ? undefined : readImportance(flags.imatrix)
    const rules = [
      ...(flags.tensorType ?? []),
      ...(flags.tensorTypeFile === undefined ? [] : await readTypeRules(flags.tensorTypeFile)),
    ]
    const typeOf = (text: string | undefined) => (text === undefined ? undefined : tensorTypeNumber(text))
    const [outputType, embeddingType] = [typeOf(flags.outputTensorType), typeOf(flags.tokenEmbeddingType)]
    const options: QuantizeRequest["options"] = {
      ...(importance !== undefined && { importance }),
      ...(outputType !== undefined && { outputType }),
      ...(embeddingType !== undefined && { embeddingType }),
      ...(rules.length > 0 && {
        tensorTypes: rules.map(([pattern, type]) => [pattern, tensorTypeNumber(type)] as const),
      }),
      ...(flags.threads !== undefined && { threads: flags.threads }),
      ...(flags.maxBufferSize !== undefined && { maxBufferBytes: flags.maxBufferSize }),
      ...(flags.pruneLayers !== undefined && { pruneLayers: flags.pruneLayers }),
      ...(flags.overrideKv !== undefined && { overrides: flags.overrideKv }),
      isPure: flags.pure === true,
      mayRequantize: flags.allowRequantize === true,
      leaveOutput: flags.leaveOutputTensor === true,
      keepSplit: flags.keepSplit === true,
      dryRun: flags.dryRun === true,
    }
    using signals = watchSignals()
    const spinner = startSpinner(io)
    const results: Outcome[] = []
    try {
      for (const type of types) {
        const startedAt = performance.now()
        const result = await quantizeGguf({
          source,
          shownAs: model,
          out: flags.out === undefined ? defaultOut(source, model, type) : resolve(flags.out),
          type,
          options,
          mayReplace: flags.force === true,
          signal: signals.signal,
          runJob: jobRunner(settings, "quantizing"),
          onProgress: ({ done, total }) => {
            const left = ((performance.now() - startedAt) / done) * (total - done)
            spinner.say(`${type.name}: ${done} of ${total} tensors, ${Math.ceil(left / 1000)} s left`)
          },
        })
        spinner.hide()
        if (flags.json !== true) io.writeError(fallbackNote(type, result))
        results.push({ type, result })
      }
    } catch (error) {
      spinner.stop()
      if (!signals.signal.aborted) throw error
      io.writeError("stopped; nothing half-written is left\n")
      process.exitCode = exitCodeOf(signals.signal)
    } finally {
      spinner.stop()
    }
    if (flags.json === true) return io.write(toJson(results.map(toJsonResult)))
    if (results.length === 0) return
    io.write(
      table(
        ["TYPE", "SIZE", flags.dryRun === true ? "WOULD WRITE" : "FILE"],
        results.map(({ type, result }) => [
          type.name,
          formatBytes(result.bytes),
          result.paths.map(printable).join(", "),
        ]),
      ),
    )
  },
})

interface Outcome {
  readonly type: QuantizeType
  readonly result: QuantizeResult
}

/** In the folder of the model, or in this one for an installed model. */
function defaultOut(source: string, model: string, type: QuantizeType): string {
  const file = isPath(model) ? basename(source) : `${model.replaceAll(/[/:]/g, "-")}.gguf`
  const stem = parseSplitName(file)?.stem ?? file.replace(/\.gguf$/i, "")
  const plain = stem.replace(/[-._](?:b?f16|f32|fp16|fp32)$/i, "")
  return join(isPath(model) ? dirname(source) : process.cwd(), `${plain}-${type.name}.gguf`)
}

function fallbackNote(
  { name }: QuantizeType,
  { fallbacks, tensors, fallbackReasons }: QuantizeResult,
): string {
  if (fallbacks === 0) return ""
  return `${name}: ${fallbacks} of ${tensors} tensors fall back to a larger type: ${fallbackReasons.join(", ")}\n`
}

function toJsonResult({ type, result }: Outcome) {
  const { paths, bytes: sizeBytes, tensors, fallbacks, fallbackReasons } = result
  return {
    type: type.name,
    paths,
    bytes: sizeBytes,
    tensors,
    fallbacks,
    fallback_reasons: fallbackReasons,
  }
}
