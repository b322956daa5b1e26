import { signal } from "@preact/signals"

export type Connection = "unknown" | "online" | "offline"

/** Whether the server can be reached, as the last request found it. */
export const connection = signal<Connection>("unknown")

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

let timer: ReturnType<typeof setTimeout> | undefined

export function noteReached(): void {
  clearTimeout(timer)
  timer = undefined
  connection.value = "online"
}

/** Looks for the server, with growing pauses, until it answers. */
export function noteUnreachable(): void {
  connection.value = "offline"
  if (timer === undefined) lookAgain(FIRST_WAIT_MS)
}

function lookAgain(wait: number): void {
  timer = setTimeout(() => {
    fetch("/v0/health/live", { cache: "no-store" }).then(noteReached, () =>
      lookAgain(Math.min(LONGEST_WAIT_MS, wait * 2)),
    )
  }, wait)
}
