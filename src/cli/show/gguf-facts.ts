import type { ModelDetails } from "../../domain/model"
import { UsageError } from "../../errors/cli"
import { readGgufHeader } from "../../formats/gguf/read"
import type { GgufTensorInfo } from "../../formats/gguf/types"
import { modelOfFile } from "../../store/local/scan"

/** All tensors of a text model, from all its files. @throws UsageError for other models */
export function readTensors({ kind, name, path }: ModelDetails): readonly GgufTensorInfo[] {
  if (kind !== "text")
    throw new UsageError(`model '${name}' is not a text model: its tensors cannot be shown`)
  return modelOfFile(path).paths.flatMap((part) => readGgufHeader(part).tensors)
}
