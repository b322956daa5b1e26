import { recordsAt, textAt } from "../../lib/json"
import { InvalidModelFile } from "../../errors/model"
import type { HfFolder } from "./folder"

/** llama.cpp's numbers. */
const POOLINGS: Readonly<Record<string, number>> = { mean: 1, cls: 2, lasttoken: 3 }

/**
 * The number of the pooling that a folder of sentence-transformers names. @throws InvalidModelFile for a kind that
 * llama.cpp does not have
 */
export async function readPooling(folder: HfFolder): Promise<number | undefined> {
  const modules = await folder.anyJson("modules.json")
  if (!Array.isArray(modules)) return undefined
  const found = recordsAt({ modules }, "modules").find((each) => textAt(each, "type")?.endsWith("Pooling"))
  const place = found && textAt(found, "path")
  if (place === undefined) return undefined
  const pooling = (await folder.json(`${place}/config.json`)) ?? {}
  if (pooling["pooling_mode_mean_tokens"] === true) return 1
  if (pooling["pooling_mode_cls_token"] === true) return 2
  if (pooling["pooling_mode_lasttoken"] === true) return 3
  const number = POOLINGS[textAt(pooling, "pooling_mode") ?? ""]
  if (number === undefined)
    throw new InvalidModelFile(
      folder.path,
      "its pooling is none of those known: mean, the first or the last token",
    )
  return number
}
