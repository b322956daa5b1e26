import { dirname } from "node:path"
import { XllmError } from "../../errors/base"
import { InvalidModelfile } from "../../errors/model"
import type { Problem } from "../../formats/modelfile/lexer"
import { parseModelfile } from "../../formats/modelfile/parse"
import { type ModelName, parseModelName } from "../../store/names"
import type { ModelLibrary } from "../context/library"
import type { Reporting } from "../render/progress"

/** The Modelfile's name in messages. */
const SOURCE = "Modelfile"

/** The faults of a text, in the order of its lines. Files are named by models only: paths would reach the server's own. */
export function faultsOfText(text: string): readonly Problem[] {
  const { instructions, problems } = parseModelfile(text)
  const paths = instructions.flatMap((instruction) => {
    const { type, line } = instruction
    if (type === "adapter")
      return [{ line, message: "ADAPTER names a file, which cannot be reached from here; use 'xllm create'" }]
    if ((type !== "from" && type !== "draft") || isModelName(instruction.value)) return []
    return [{ line, message: `${type.toUpperCase()} ${instruction.value}: not the name of a model` }]
  })
  return [...problems, ...paths].sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
}

/**
 * Makes a model from the text of a Modelfile.
 * @throws InvalidModelfile with every fault of the text
 */
export function createFromText(
  name: ModelName,
  text: string,
  { store, pull, runJob }: ModelLibrary,
): Reporting["run"] {
  const faults = faultsOfText(text)
  if (faults.length > 0) throw new InvalidModelfile(SOURCE, faults)
  return async (signal, report) => {
    const { createModel } = await import("../../store/create/create")
    return await createModel({
      store,
      name,
      modelfile: parseModelfile(text),
      file: SOURCE,
      // Where the blobs are: nothing else can be found there.
      folder: dirname(store.blobs.pathOf(`sha256:${"0".repeat(64)}`)),
      pull: async (reference) => (await pull(reference, { isInsecure: false, signal, onEvent: report })).name,
      signal,
      report,
      ...(runJob !== undefined && { runJob }),
    })
  }
}

function isModelName(text: string): boolean {
  try {
    parseModelName(text)
    return true
  } catch (error) {
    if (error instanceof XllmError) return false
    throw error
  }
}
