import { Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import { TooManyWatchers } from "../../errors/request"
import { PushStream } from "../../lib/async/push-stream"
import { COUNTS } from "../../limits"
import type { Activity } from "../../metrics/activity"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import type { RequestsInProgress } from "../context/requests-in-progress"
import { checkNotEmbedded } from "../context/owner"
import { requestContextOf } from "../context/request-context"
import { sse } from "../render/sse"
import {
  type ActivityBody,
  toJournalBody,
  toPercentiles,
  toRequestBodies,
  toTotalsBody,
} from "./bodies/activity"
import { toHealthBody } from "./bodies/health"
import { toMemoriesBody } from "./bodies/memory"
import type { StateBody } from "./bodies/state"
import type { Pulls } from "./pulls"

export interface EventContext {
  readonly engine: Engine
  readonly inProgress: RequestsInProgress
  readonly pulls: Pulls
  readonly activity: Activity
  readonly version: string
  readonly startedAt: Date
  /** Aborted when the server is told to stop: the streams end. */
  readonly closing: AbortSignal
}

/** How often the server's state is looked at while anybody watches. */
const LOOK_MS = 1000

/** How many happenings a watcher is told that knows none. */
const RECENT = 20

/**
 * GET /v0/events: what the server does, as server-sent events. `state` and `pulls` come at the beginning and with every
 * change, `activity` every second, `journal` for what happens to models: with `Last-Event-ID` also what happened since.
 */
export function eventRoutes(context: EventContext) {
  const watchers = new Watchers(context)
  return new Elysia({ name: "v0-events" }).get("/v0/events", async ({ request, server }) => {
    checkNotEmbedded(request)
    mayBeSilent(request, server)
    const client = abortControllerFor(request)
    const requestContext = requestContextOf(request)
    const last = Number(request.headers.get("last-event-id") ?? NaN)
    const events = watchers.add(Number.isSafeInteger(last) ? last : undefined)
    requestContext.afterwards(() => watchers.remove(events))
    return await sse({
      events,
      client,
      requestContext,
      render: (event) => event,
      waiting: () => undefined,
      end: () => "",
      fail: () => "",
    })
  })
}

/** Everyone who watches. The server is looked at once for all of them, and only while there are any. */
class Watchers {
  readonly #context: EventContext
  readonly #all = new Set<PushStream<string>>()
  #timer: ReturnType<typeof setInterval> | undefined
  #state = ""
  #pulls = ""
  #journal = 0
  #looked: { readonly at: number; readonly tokens: number } | undefined

  constructor(context: EventContext) {
    this.#context = context
    context.closing.addEventListener("abort", () => this.#end(), { once: true })
  }

  /** `last`: the newest journal entry that the watcher knows. @throws TooManyWatchers */
  add(last: number | undefined): PushStream<string> {
    if (this.#all.size >= COUNTS.watchers.maxItems) throw new TooManyWatchers(COUNTS.watchers.maxItems)
    if (this.#timer === undefined) this.#begin()
    const stream = new PushStream<string>()
    stream.push(event("state", this.#stateBody()))
    stream.push(event("pulls", this.#context.pulls.list()))
    stream.push(event("activity", this.#activityBody(this.#looked?.tokens ?? 0, LOOK_MS)))
    // A number that is yet to come is another server's, which ran before this one.
    const since = last !== undefined && last <= this.#journal ? last : this.#journal - RECENT
    for (const entry of this.#context.activity.journalAfter(since))
      if (entry.id <= this.#journal) stream.push(event("journal", toJournalBody(entry), entry.id))
    this.#all.add(stream)
    if (this.#context.closing.aborted) this.#end()
    return stream
  }

  remove(stream: PushStream<string>): void {
    this.#all.delete(stream)
    stream.end()
    if (this.#all.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #begin(): void {
    const { activity } = this.#context
    this.#state = ""
    this.#pulls = ""
    this.#journal = activity.journalAfter(0).at(-1)?.id ?? 0
    this.#looked = { at: performance.now(), tokens: activity.totals.generatedTokens }
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  #look(): void {
    const news: string[] = []
    const { activity, pulls } = this.#context
    for (const entry of activity.journalAfter(this.#journal)) {
      news.push(event("journal", toJournalBody(entry), entry.id))
      this.#journal = entry.id
    }
    const state = this.#stateBody()
    // The uptime is no news.
    const shown = JSON.stringify({ ...state, uptime_seconds: 0 })
    if (shown !== this.#state) news.push(event("state", state))
    this.#state = shown
    const listed = event("pulls", pulls.list())
    if (listed !== this.#pulls) news.push(listed)
    this.#pulls = listed
    const now = performance.now()
    const before = this.#looked ?? { at: now - LOOK_MS, tokens: 0 }
    news.push(event("activity", this.#activityBody(before.tokens, now - before.at)))
    this.#looked = { at: now, tokens: activity.totals.generatedTokens }
    const text = news.join("")
    for (const stream of this.#all) stream.push(text)
  }

  #end(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const stream of this.#all) stream.end()
    this.#all.clear()
  }

  #stateBody(): StateBody {
    const { engine, version, startedAt } = this.#context
    const status = engine.status()
    return { ...toHealthBody(status, version, startedAt), memory: toMemoriesBody(status.memory) }
  }

  /** `tokens`: how many there were `ms` ago. */
  #activityBody(tokens: number, ms: number): ActivityBody {
    const { engine, activity, inProgress } = this.#context
    const { totals } = activity
    const { running, waiting } = engine.status().queue
    return {
      at: new Date().toISOString(),
      generated_tokens_per_second: Math.round(((totals.generatedTokens - tokens) / ms) * 10_000) / 10,
      running,
      waiting,
      first_token_ms: toPercentiles(activity.firstTokens()),
      totals: toTotalsBody(totals),
      requests: toRequestBodies(inProgress.working),
    }
  }
}

function event(name: string, data: unknown, id?: number): string {
  return `event: ${name}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
