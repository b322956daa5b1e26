import type { Context } from "../../llama/context"
import type { PromptKeeper } from "./cache/disk/prompt-keeper"
import type { KvCache } from "./cache/kv-cache"
import type { ThreadGovernor } from "./threads"

/**
 * What computes: a context, its KV cache, and how many threads it uses. Context and cache are replaced
 * together between two steps, so keep the runtime and read them from it.
 */
export interface Runtime {
  context: Context
  cache: KvCache
  readonly threads: ThreadGovernor
  /** Keeps prompts on disk; absent: they are not kept. */
  keeper?: PromptKeeper | undefined
}
