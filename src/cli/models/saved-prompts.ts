import type { Settings } from "../../config/resolve"
import { PromptFolder, type SavedPrompt } from "../../kv-disk/folder"
import type { Io } from "../terminal/io"
import { printable } from "../terminal/output"

/** The folder of saved prompts, for commands: problems with it go to stderr. */
export function openPrompts(settings: Settings, io: Pick<Io, "writeError">): PromptFolder {
  return new PromptFolder({
    ...settings.promptsOnDisk,
    warn: (text) => io.writeError(`${printable(text)}\n`),
  })
}

/** Is it a prompt of that model? */
export function isPromptOf({
  name,
  id,
}: {
  readonly name: string
  /** Absent: unknown. */
  readonly id?: string | undefined
}): (prompt: SavedPrompt) => boolean {
  return ({ model, modelId }) => model === name || modelId === id
}

interface RemovedPrompts {
  readonly count: number
  readonly bytes: number
}

/** Removes the saved prompts that are wanted gone. */
export async function removePrompts(
  prompts: PromptFolder,
  isUnwanted: (prompt: SavedPrompt) => boolean,
): Promise<RemovedPrompts> {
  let [count, bytes] = [0, 0]
  for (const prompt of await prompts.list()) {
    if (!isUnwanted(prompt) || !(await prompts.remove(prompt))) continue
    count++
    bytes += prompt.bytes
  }
  return { count, bytes }
}
