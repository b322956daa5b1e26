import type Anthropic from "@anthropic-ai/sdk"
import { AGENT_TOOLS, INSTRUCTIONS, LIST_TOOL, withUnknownFields } from "./agent-tools"

/** Request headers of Claude Code. */
export const CLAUDE_CODE_HEADERS = {
  "anthropic-beta":
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24,unknown-2030-01-01",
  "anthropic-dangerous-direct-browser-access": "true",
  "user-agent": "claude-cli/2.1.197 (external, sdk-cli)",
  "x-app": "cli",
}

type Message = Anthropic.Beta.BetaMessageParam

/**
 * A conversation as Claude Code leads it: twenty tools and a hosted one, system prompts before and within the
 * conversation, a line at the head that is another in each request, and a cache mark that moves on.
 */
export class ClaudeCodeSession {
  readonly #messages: Message[] = [
    {
      role: "user",
      content: "<system-reminder>\nToday's date is 2026-12-01.\n</system-reminder>\n",
    },
    // Its types know no such role yet.
    { role: "system" as "user", content: "Agents that may be called: Explore, Plan." },
  ]
  #turn = 0

  /** The next request. Every other one demands a call. */
  request(text: string): unknown {
    const turn = this.#turn++
    this.#say(text)
    const tools = [...AGENT_TOOLS, LIST_TOOL].map(({ name, description, schema }) => ({
      name,
      description,
      input_schema: schema,
      eager_input_streaming: true,
    }))
    const body = {
      model: "tiny",
      max_tokens: turn % 2 === 1 ? 200 : 24,
      stream: true,
      system: [
        {
          type: "text",
          text: `x-anthropic-billing-header: cc_version=2.1.197.${turn}df; cc_entrypoint=cli; cch=${turn}c0ffee;`,
        },
        { type: "text", text: "You are an agent.", cache_control: { type: "ephemeral" } },
        {
          type: "text",
          text: INSTRUCTIONS,
          cache_control: { type: "ephemeral", ttl: "1h", scope: "global" },
        },
      ],
      messages: this.#marked(),
      tools: [...tools, { type: "web_search_20250305", name: "web_search", max_uses: 8 }],
      ...(turn % 2 === 1 && { tool_choice: { type: "tool", name: LIST_TOOL.name } }),
      thinking: { type: "adaptive", display: "summarized" },
      output_config: { effort: "high" },
      context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
      metadata: { user_id: JSON.stringify({ device_id: "d", session_id: "s", turn }) },
      betas: ["a", "b"],
    }
    return withUnknownFields(body, ["input_schema", "input", "metadata"])
  }

  /** Takes what was answered; calls get results, and what another service thought stands beside it. */
  answered({ content }: Anthropic.Beta.BetaMessage): void {
    this.#messages.push({ role: "assistant", content: content as Anthropic.Beta.BetaContentBlockParam[] })
    const results = content.flatMap((block, index) =>
      block.type === "tool_use"
        ? [
            {
              type: "tool_result" as const,
              tool_use_id: block.id,
              content: index % 2 === 0 ? "no tasks" : [{ type: "text" as const, text: "failed" }],
              is_error: index % 2 === 1,
            },
          ]
        : [],
    )
    if (results.length > 0) this.#messages.push({ role: "user", content: results })
    if (this.#turn % 3 === 0)
      this.#messages.push({
        role: "assistant",
        content: [
          { type: "redacted_thinking", data: "EmwKAhgBEgy3va3pzix/LafPsn4a" },
          { type: "thinking", thinking: "I looked.", signature: "" },
          { type: "text", text: "I looked into it." },
        ],
      })
  }

  #say(text: string): void {
    const last = this.#messages.at(-1)
    if (last?.role === "user" && Array.isArray(last.content)) last.content.push({ type: "text", text })
    else this.#messages.push({ role: "user", content: text })
  }

  /** The last message carries the cache mark, for which a text becomes a block. */
  #marked(): readonly Message[] {
    const last = this.#messages.at(-1)
    if (typeof last?.content !== "string") return this.#messages
    const block = { type: "text" as const, text: last.content, cache_control: { type: "ephemeral" as const } }
    return [...this.#messages.slice(0, -1), { ...last, content: [block] }]
  }
}
