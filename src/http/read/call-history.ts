import type { ToolCall } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { SHOWN } from "../../limits"

/** The tool calls of a conversation up to a message, for the results that follow. */
export class CallHistory {
  readonly #byId = new Map<string, ToolCall>()
  /** The newest of each name. */
  readonly #byName = new Map<string, ToolCall>()
  /** Those without a result, oldest first. */
  readonly #open = new Map<string, ToolCall>()

  #nextId = 0

  add(call: ToolCall): void {
    this.#byId.set(call.id, call)
    this.#byName.set(call.name, call)
    this.#open.set(call.id, call)
  }

  /** An id that no earlier call has, for one that came without; nine characters, as the templates of Mistral require. */
  newId(): string {
    for (;;) {
      const id = `call${String(this.#nextId++).padStart(5, "0")}`
      if (!this.#byId.has(id)) return id
    }
  }

  /**
   * The call that a result is for; without an id, the oldest one that has none yet.
   * @throws InvalidRequest if there is no such call
   */
  withId(path: string, id: string | undefined): ToolCall {
    const call = id === undefined ? this.#open.values().next().value : this.#byId.get(id)
    if (call !== undefined) return this.#answered(call)
    if (id === undefined)
      throw new InvalidRequest(`${path} is required: no tool call before it is open`, path)
    const given = shorten(id, SHOWN.value)
    throw new InvalidRequest(`${path} '${given}' is not the id of a tool call in an earlier message`, path)
  }

  /** The newest call of a function. @throws InvalidRequest if there is none */
  named(path: string, name: string | undefined): ToolCall {
    if (name === undefined) throw new InvalidRequest(`${path} is required for role function`, path)
    const call = this.#byName.get(name)
    if (call !== undefined) return this.#answered(call)
    const given = shorten(name, SHOWN.value)
    throw new InvalidRequest(`${path} '${given}' is not the function of a call in an earlier message`, path)
  }

  #answered(call: ToolCall): ToolCall {
    this.#open.delete(call.id)
    return call
  }
}
