import type { Message } from "./types"

/** The messages of one conversation by their ids. */
export type MessageMap = ReadonlyMap<string, Message>

/** The messages from the first one to `leaf`. */
export function pathTo(messages: MessageMap, leaf: string | undefined): readonly Message[] {
  const path: Message[] = []
  const seen = new Set<string>()
  for (let id = leaf; id !== undefined && !seen.has(id);) {
    seen.add(id)
    const message = messages.get(id)
    if (message === undefined) break
    path.push(message)
    id = message.parent
  }
  return path.reverse()
}

/** The results of an answer's calls, by their ids: they follow it directly. Other answers may have calls with these ids. */
export function resultsAfter(path: readonly Message[], answer: Message): ReadonlyMap<string, string> {
  const results = new Map<string, string>()
  for (let at = path.indexOf(answer) + 1; path[at]?.role === "tool"; at++) {
    const { toolCallId = "", text = "" } = path[at] ?? {}
    results.set(toolCallId, text)
  }
  return results
}

/** The messages that follow one directly, oldest first: versions of each other. */
export function childrenOf(messages: MessageMap, parent: string | undefined): readonly Message[] {
  return [...messages.values()]
    .filter((each) => each.parent === parent)
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
}

/** The end of the newest branch below a message. */
export function newestLeaf(messages: MessageMap, id: string): string {
  const seen = new Set<string>()
  for (let leaf = id; ;) {
    const newest = childrenOf(messages, leaf).at(-1)
    if (newest === undefined || seen.has(newest.id)) return leaf
    seen.add(newest.id)
    leaf = newest.id
  }
}

/** A message and all that follows it. */
export function withFollowers(messages: MessageMap, id: string): readonly Message[] {
  const found: Message[] = []
  const open = [id]
  const byParent = Map.groupBy(messages.values(), ({ parent }) => parent)
  const seen = new Set<string>()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const message = messages.get(next)
    if (message === undefined || seen.has(next)) continue
    seen.add(next)
    found.push(message)
    for (const child of byParent.get(next) ?? []) open.push(child.id)
  }
  return found
}

/**
 * Where one is after a message and its followers are gone: the end of its newest other version, or its parent. A leaf
 * that is not among them stays.
 */
export function leafWithout(messages: MessageMap, id: string, leaf: string | undefined): string | undefined {
  const message = messages.get(id)
  const gone = new Set(withFollowers(messages, id).map((each) => each.id))
  if (message === undefined || leaf === undefined || !gone.has(leaf)) return leaf
  const rest = new Map([...messages].filter(([key]) => !gone.has(key)))
  const other = childrenOf(rest, message.parent).at(-1)
  return other === undefined ? message.parent : newestLeaf(rest, other.id)
}

const TITLE_LENGTH = 60

/** A title for a conversation that begins with this text. */
export function titleFrom(text: string): string {
  const line = text.trim().split("\n")[0]?.replace(/\s+/g, " ").trim() ?? ""
  const characters = Array.from(line)
  return characters.length <= TITLE_LENGTH ? line : `${characters.slice(0, TITLE_LENGTH - 1).join("")}…`
}
