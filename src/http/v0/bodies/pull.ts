/** A download; in GET /v0/pulls, POST /v0/pulls, DELETE /v0/pulls/:id and the events. */
export interface PullBody {
  readonly id: string
  readonly model: string
  readonly state: "running" | "done" | "failed" | "cancelled"
  /** What it does, in Ollama's words. */
  readonly status: string
  /** Of all files that it has begun. */
  readonly completed_bytes: number
  /** `null` until known. */
  readonly total_bytes: number | null
  /** Decisions and unusual outcomes; sentences. */
  readonly notes: readonly string[]
  readonly error: { readonly code: string; readonly message: string } | null
  /** ISO 8601. */
  readonly started_at: string
  readonly ended_at: string | null
}
