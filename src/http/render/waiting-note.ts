import type { WorkEvent } from "../../domain/tasks"

/** The comment for a waiting client; undefined for events of the answer. */
export function waitingNote(event: WorkEvent): string | undefined {
  if (event.type === "loading") return `loading ${Math.floor(event.fraction * 100)}%`
  if (event.type === "queued") return `queued, ${event.position} ahead`
  return undefined
}
