import { describeGguf } from "../../formats/gguf/metadata"
import { describeProjector, projectorMisfit } from "../../formats/gguf/projector"
import { readGgufHeader } from "../../formats/gguf/read"
import { readWeights } from "../local/model-file"
import type { Faults } from "./faults"
import { faultOf, type FoundSource, type SourceFile } from "./sources"

/**
 * Checks that one projector at most is named, and that it is for the model: with another family's llama.cpp would answer
 * nonsense, or end its process. Adds faults.
 * @param weights the files of the text model's weights; empty: it has none
 */
export async function checkProjector(
  sources: readonly FoundSource[],
  weights: readonly string[],
  faults: Faults,
): Promise<void> {
  const [first, second] = sources.flatMap((source) =>
    projectorsOf(source).map((path) => ({ ...source, path })),
  )
  if (first === undefined) return
  const wrong = (reason: string) => faults.wrong(first.line, `FROM ${first.path}: ${reason}`)
  if (second !== undefined && second.path !== first.path)
    return faults.wrong(
      second.line,
      `FROM ${second.path}: a second projector, besides ${first.path}; a model has one`,
    )
  if (weights.length === 0)
    return wrong("it is a projector, and the model has no weights that it could be for")
  try {
    const facts = describeProjector(first.path, readGgufHeader(first.path))
    const headers = await readWeights(weights)
    const base = describeGguf(
      headers[0],
      headers.flatMap(({ tensors }) => tensors),
    )
    const misfit = projectorMisfit(facts, base, "the model")
    if (misfit !== undefined) wrong(`it ${misfit}`)
  } catch (error) {
    wrong(faultOf(error))
  }
}

function projectorsOf({ source }: FoundSource): readonly string[] {
  const files: readonly SourceFile[] = source.type === "files" ? source.files : []
  return files.filter(({ role }) => role === "projector").map(({ path }) => path)
}
