/** POST /v0/stop */
export interface StopBody {
  readonly model: string
  /** `false`: it was not loaded. */
  readonly stopped: boolean
}
