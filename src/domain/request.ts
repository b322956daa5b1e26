/** Fields of every request. */
export interface RequestOptions {
  /** May be omitted where exactly one model is known. */
  readonly model?: string
  /** Identifies the request in log lines, here and in the worker. */
  readonly requestId?: string
  /**
   * How long the model stays loaded after this request; 0: unload once idle, `null`: no limit. Absent: as
   * configured.
   */
  readonly keepAliveSeconds?: number | null
  /** How long the request may wait before it starts; absent: as configured. */
  readonly queueTimeoutMs?: number
}

/** Progress while a request waits: `fraction` of the load, or the number of requests ahead. */
export type WaitingEvent =
  | { readonly type: "loading"; readonly fraction: number }
  | { readonly type: "queued"; readonly position: number }

/** Duration of a tts, asr or image request, in milliseconds. */
export interface MediaTimings {
  readonly queueMs: number
  readonly loadMs: number
  readonly workMs: number
}
