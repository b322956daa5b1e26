import type { WorkEvent } from "../../domain/tasks"

/** What a waiting client is told in a comment; undefined for events of the answer itself. */
export function waitingNote(event: WorkEvent): string | undefined {
  if (event.type === "loading") return `loading ${Math.floor(event.fraction * 100)}%`
  if (event.type === "queued") return `queued, ${event.position} ahead`
  return undefined
}
