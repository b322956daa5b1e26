import { existsSync } from "node:fs"
import { join } from "node:path"

/** A model that can choose tools, under its name in the models folder. */
export const QWEN = "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M"

const ROOT = join(import.meta.dir, "../../..")

/**
 * The path of its file in XLLM_TEST_QWEN, or in .cache/qwen, which .ci/run fills. Undefined, with a note, if it is
 * missing; tests that need it are skipped then.
 */
export function realQwen(): string | undefined {
  const path = join(process.env.XLLM_TEST_QWEN ?? join(ROOT, ".cache/qwen"), `${QWEN}.gguf`)
  if (existsSync(path)) return path
  console.warn(`skipped: no real Qwen (${path} is missing; set XLLM_TEST_QWEN to its folder)`)
  return undefined
}
