import type { ChatRequest } from "../../domain/chat"
import type { Engine } from "../../engine/contract"
import { XllmError } from "../../errors/base"

/**
 * The request without as many of its oldest messages as its prompt needs to fit into the context; system messages and
 * the last message stay. Where that is not enough, the request itself: running it says by how much.
 */
export async function fitting(
  engine: Engine,
  request: ChatRequest,
  signal: AbortSignal,
): Promise<{ readonly request: ChatRequest; readonly droppedMessages: number }> {
  const { messages } = request
  const droppable = messages.flatMap(({ role }, index) =>
    role === "system" || index === messages.length - 1 ? [] : [index],
  )
  const without = (count: number): ChatRequest => {
    const dropped = new Set(droppable.slice(0, count))
    // What is left begins with a user: many templates want that, and a tool's result needs its call.
    for (const index of count === 0 ? [] : droppable.slice(count)) {
      if (messages[index]?.role === "user") break
      dropped.add(index)
    }
    return { ...request, messages: messages.filter((_, index) => !dropped.has(index)) }
  }
  const fits = async (count: number): Promise<boolean> => {
    try {
      const { name } = await engine.resolve(request.model, "chat")
      const { tokens } = await engine.render(without(count), signal)
      return tokens.length <= ((await engine.contextLength(name)) ?? Number.POSITIVE_INFINITY)
    } catch (error) {
      if (error instanceof XllmError && error.code === "context_length_exceeded") return false
      throw error
    }
  }
  if (await fits(0)) return { request, droppedMessages: 0 }
  // The least number that fits: dropping more never makes a prompt longer.
  let [low, high] = [1, droppable.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (await fits(middle)) high = middle
    else low = middle + 1
  }
  if (low > droppable.length || !(await fits(low))) return { request, droppedMessages: 0 }
  const fitted = without(low)
  return { request: fitted, droppedMessages: messages.length - fitted.messages.length }
}
