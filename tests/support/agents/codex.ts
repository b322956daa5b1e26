import type OpenAI from "openai"
import { AGENT_TOOLS, INSTRUCTIONS, LIST_TOOL, withUnknownFields } from "./agent-tools"

type Item = OpenAI.Responses.ResponseInputItem

/** Request headers of Codex. */
export const CODEX_HEADERS = {
  originator: "codex_exec",
  "session-id": "01a22ef5-d24a-7f72-8e6a-71b27b754f12",
  "user-agent": "codex_exec/0.171.0 (Debian 12.0.0; x86_64)",
  "x-codex-beta-features": "remote_compaction_v2",
}

/** A notation of patches in Lark's form. */
const PATCH_GRAMMAR = `start: "*** Begin" LF line+ "*** End" LF?
line: ("+" | "-" | " ") /(.*)/ LF
%import common.LF`

const message = (role: "developer" | "user", id: string, text: string) => ({
  ...{ type: "message" as const, role, id },
  content: [{ type: "input_text" as const, text }],
})

/**
 * A conversation as Codex leads it: nothing is stored, so all items are sent each time, with functions, a namespace, a
 * custom tool, a local shell and hosted tools, and thinking that another service has encrypted.
 */
export class CodexSession {
  readonly #items: Item[] = [
    message("developer", "msg_1", INSTRUCTIONS),
    message("developer", "msg_2", "<skills>none</skills>"),
    message("user", "msg_3", "<environment_context>\n  <cwd>/work</cwd>\n</environment_context>"),
  ]
  #turn = 0

  /** The next request. Every other one demands a call. */
  request(text: string): unknown {
    const turn = this.#turn++
    this.#items.push(message("user", `msg_user_${turn}`, text))
    const functions = [...AGENT_TOOLS.slice(0, 14), LIST_TOOL].map(({ name, description, schema }) => ({
      ...{ type: "function", name, description, strict: false, parameters: schema },
      defer_loading: false,
    }))
    const inner = AGENT_TOOLS.slice(14).map(({ name, description, schema }) => ({
      ...{ type: "function", name, description, strict: false, parameters: schema },
    }))
    const body = {
      model: "tiny",
      max_output_tokens: turn % 2 === 1 ? 200 : 24,
      stream: true,
      store: false,
      input: this.#items,
      tools: [
        ...functions,
        { type: "namespace", name: "multi_agent_v1", description: "Agents", tools: inner },
        {
          ...{ type: "custom", name: "apply_patch", description: "Edits files." },
          format: { type: "grammar", syntax: "lark", definition: PATCH_GRAMMAR },
        },
        { type: "local_shell" },
        { type: "web_search", external_web_access: false },
        { type: "image_generation", output_format: "png" },
      ],
      tool_choice: turn % 2 === 1 ? { type: "function", name: LIST_TOOL.name } : "auto",
      parallel_tool_calls: true,
      reasoning: { effort: "medium", summary: "auto", context: "all_turns" },
      text: { verbosity: "low" },
      include: ["reasoning.encrypted_content"],
      prompt_cache_key: "01a22ef5-d24a-7f72-8e6a-71b27b754f12",
      client_metadata: { turn_id: `turn_${turn}`, installation_id: "i" },
      service_tier: "auto",
    }
    return withUnknownFields(body, ["parameters", "client_metadata"])
  }

  /** Takes what was answered; calls get outputs, and so do some that the model is said to have made. */
  answered({ output }: OpenAI.Responses.Response): void {
    const turn = this.#turn
    this.#items.push(...output.map((item) => item as Item))
    for (const item of output)
      if (item.type === "function_call")
        this.#items.push({ type: "function_call_output", call_id: item.call_id, output: "no tasks" })
    if (turn % 3 !== 0) return
    this.#items.push(
      {
        type: "reasoning",
        id: `rs_${turn}`,
        summary: [],
        encrypted_content: "gAAAAABoISQ24OyVRYbkYfukdJoqdzWT",
      },
      {
        type: "local_shell_call",
        id: `lsh_${turn}`,
        call_id: `shell_${turn}`,
        status: "completed",
        action: { type: "exec", command: ["bash", "-lc", "ls"], env: {}, timeout_ms: 1000 },
      },
      // Its types have the call's id as the output's own.
      { type: "local_shell_call_output", id: `shell_${turn}`, output: '{"output":"a.txt"}' },
      {
        type: "custom_tool_call",
        call_id: `patch_${turn}`,
        name: "apply_patch",
        input: "*** Begin\n+a\n*** End",
      },
      {
        ...{ type: "custom_tool_call_output", call_id: `patch_${turn}` },
        output: "done",
      },
      {
        ...{ type: "function_call", call_id: `agent_${turn}`, name: "Skill", namespace: "multi_agent_v1" },
        arguments: '{"path":"/a"}',
      },
      {
        type: "function_call_output",
        call_id: `agent_${turn}`,
        output: [{ type: "input_text", text: "started" }],
      },
      {
        type: "web_search_call",
        id: `ws_${turn}`,
        status: "completed",
        action: { type: "search", query: "q" },
      },
    )
  }
}
