import { signal } from "@preact/signals"
import { useEffect } from "preact/hooks"
import type { ActivityBody, JournalBody } from "../../http/v0/bodies/activity"
import type { PullBody } from "../../http/v0/bodies/pull"
import type { StateBody } from "../../http/v0/bodies/state"
import { ApiError } from "./api-error"
import { streamEvents } from "./client"

/** What charts show of one second. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly tokensPerSecond: number
  readonly running: number
  readonly waiting: number
  readonly modelBytes: number
  readonly firstToken: ActivityBody["first_token_ms"]
}

/** Five minutes. */
const SAMPLES = 300
const JOURNAL = 100

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

/** The server's state as its events have it; undefined until the first ones come. */
export const serverState = signal<StateBody | undefined>(undefined)
export const activity = signal<ActivityBody | undefined>(undefined)
export const pulls = signal<readonly PullBody[]>([])
export const samples = signal<readonly Sample[]>([])
/** Newest first. */
export const journal = signal<readonly JournalBody[]>([])
/** Why there are no events, other than that the server cannot be reached. */
export const liveError = signal<ApiError | undefined>(undefined)

let users = 0
let current: AbortController | undefined
let lastId: string | undefined

/**
 * Keeps the signals of this file up to date while a component that uses it is shown. All share one stream, which is closed
 * while the tab is hidden: browsers allow six connections to one server.
 */
export function useLive(): void {
  useEffect(() => {
    users++
    update()
    return () => {
      users--
      // Another view may be about to use it.
      setTimeout(update)
    }
  }, [])
}

document.addEventListener("visibilitychange", () => update())

function update(): void {
  const isWanted = users > 0 && document.visibilityState === "visible"
  if (isWanted && current === undefined) {
    current = new AbortController()
    void follow(current.signal)
  } else if (!isWanted) {
    current?.abort()
    current = undefined
  }
}

async function follow(abort: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT_MS
  while (!abort.aborted) {
    try {
      const headers = lastId === undefined ? {} : { "last-event-id": lastId }
      for await (const event of streamEvents("/v0/events", { signal: abort, headers })) {
        wait = FIRST_WAIT_MS
        liveError.value = undefined
        if (event.id !== undefined) lastId = event.id
        if (event.type !== "comment") take(event.type, JSON.parse(event.data))
      }
    } catch (error) {
      if (abort.aborted) return
      liveError.value = error instanceof ApiError && error.status > 0 ? error : undefined
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
    wait = Math.min(LONGEST_WAIT_MS, wait * 2)
  }
}

/** `data`: as the server's types for these events have it. */
function take(type: string, data: unknown): void {
  if (type === "state") serverState.value = data as StateBody
  else if (type === "pulls") pulls.value = data as readonly PullBody[]
  else if (type === "journal") addToJournal(data as JournalBody)
  else if (type === "activity") addActivity(data as ActivityBody)
}

function addToJournal(entry: JournalBody): void {
  const others = journal.value.filter(({ id, at }) => id !== entry.id || at !== entry.at)
  journal.value = [entry, ...others].slice(0, JOURNAL)
}

function addActivity(body: ActivityBody): void {
  activity.value = body
  const memory = serverState.value?.memory
  const sample: Sample = {
    at: Date.parse(body.at),
    tokensPerSecond: body.generated_tokens_per_second,
    running: body.running,
    waiting: body.waiting,
    modelBytes:
      (memory?.system.used_by_models_bytes ?? 0) +
      (memory?.gpus.reduce((sum, gpu) => sum + gpu.used_by_models_bytes, 0) ?? 0),
    firstToken: body.first_token_ms,
  }
  samples.value = [...samples.value, sample].slice(-SAMPLES)
}
