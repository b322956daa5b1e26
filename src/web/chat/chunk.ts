import type { ChatLogprobs } from "../../http/openai/logprobs"
import type { UsageBody } from "../../http/openai/usage"
import type { TimingsBody } from "../../http/render/timings"

/** What the page reads of a chunk of `POST /v1/chat/completions`. */
export interface ChatChunk {
  readonly choices: readonly {
    readonly delta: {
      readonly content?: string | null
      readonly reasoning_content?: string
      readonly reasoning?: string
      readonly tool_calls?: readonly {
        readonly index: number
        readonly id?: string
        readonly function: { readonly name?: string; readonly arguments?: string }
      }[]
    }
    readonly logprobs?: ChatLogprobs | null
    readonly finish_reason: "stop" | "length" | "tool_calls" | null
  }[]
  readonly usage?: UsageBody | null
  readonly timings?: TimingsBody
  readonly warnings?: readonly string[]
  readonly prompt_progress?: { readonly total: number; readonly cache: number; readonly processed: number }
}
