import { open, stat } from "node:fs/promises"
import { type AttachedPart, isLoaded } from "../../../../domain/attached-parts"
import type { TextModelSettings } from "../../../../domain/settings"
import { partPaths } from "../../../../formats/gguf/split"

/** Changes whenever the content of saved states does, for reasons other than those listed here. */
const STATE_VERSION = 1

/** The start of a file is read as a whole: a model's metadata. */
const START_BYTES = 1024 ** 2

/**
 * Blocks read from the rest, evenly spread: models of one shape have files of one size, and may have most of their
 * layers in common.
 */
const BLOCKS = 256
const BLOCK_BYTES = 4096

/** What a state depends on besides model, parts and tokens. */
export interface StateConditions {
  readonly settings: TextModelSettings
  /** llama.cpp's version and commit. */
  readonly build: string
}

/** The settings on which no state depends: a state moves between contexts of any size and place. */
const IRRELEVANT = {
  contextLength: true,
  slots: true,
  decodeThreads: true,
  prefillThreads: true,
  gpuLayers: true,
  splitMode: true,
  tensorSplit: true,
  devices: true,
  kvLayout: true,
  kvCells: true,
  speculation: true,
  draftModel: true,
  draftMax: true,
  draftMin: true,
  // The keys of pictures depend on it.
  pictureTokens: true,
  memoryMap: true,
  memoryLock: true,
  promptsOnDisk: true,
} as const satisfies Partial<Record<keyof TextModelSettings, true>>

/**
 * A text that is the same wherever a saved state means the same. Models and their parts count by their content: a state
 * of a Q4_1 file would load into the Q8_0 one without complaint.
 * @throws the system's error where a file cannot be read
 */
export async function fingerprintOf(
  path: string,
  parts: readonly Pick<AttachedPart, "role" | "path" | "scale">[],
  { settings, build }: StateConditions,
): Promise<string> {
  const files = [
    ...partPaths(path).map((part) => identityOf(part)),
    ...parts
      // A draft model only guesses.
      .filter((part) => isLoaded(part) && part.role !== "draft")
      .map(async ({ role, path, scale = 1 }) => `${role}:${await identityOf(path)}:${scale}`),
  ]
  const conditions = Object.entries(settings)
    .filter(([name]) => !(name in IRRELEVANT))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const all = { version: STATE_VERSION, build, files: await Promise.all(files), conditions }
  return Bun.SHA256.hash(JSON.stringify(all), "hex")
}

/** Size and samples of a file, as a hash. */
async function identityOf(path: string): Promise<string> {
  const { size } = await stat(path)
  const file = await open(path, "r")
  try {
    const hash = new Bun.CryptoHasher("sha256")
    hash.update(String(size))
    const add = async (start: number, bytes: number): Promise<void> => {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(bytes), 0, bytes, start)
      hash.update(buffer.subarray(0, bytesRead))
    }
    await add(0, START_BYTES)
    const rest = Math.max(0, size - START_BYTES - BLOCK_BYTES)
    for (let block = 0; block < BLOCKS && rest > 0; block++)
      await add(START_BYTES + Math.floor((rest * block) / (BLOCKS - 1)), BLOCK_BYTES)
    return hash.digest("hex")
  } finally {
    await file.close()
  }
}
