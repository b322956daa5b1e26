/** What requests of every kind share. */
export interface RequestOptions {
  /** May be left out where exactly one model is known. */
  readonly model?: string
  /** Names the request in log lines, here and in the worker. */
  readonly requestId?: string
  /** How long the model stays loaded after this request; 0: until nobody uses it, `null`: for ever. Absent: as configured. */
  readonly keepAliveSeconds?: number | null
  /** How long the request may wait for its turn; absent: as configured. */
  readonly queueTimeoutMs?: number
}

/** What somebody who waits hears: `fraction` of the load, or how many requests are ahead. */
export type WaitingEvent =
  | { readonly type: "loading"; readonly fraction: number }
  | { readonly type: "queued"; readonly position: number }

/** How long a request of a voice, a recogniser or a painter took, in milliseconds. */
export interface MediaTimings {
  readonly queueMs: number
  readonly loadMs: number
  readonly workMs: number
}
