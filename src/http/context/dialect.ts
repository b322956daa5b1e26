import type { XllmError } from "../../errors/base"

/**
 * The parts of an API that requests need even if they never reach a route. Each dialect has its own folder and a row
 * in plugins/dialects.ts; no dialect imports another.
 */
export interface Dialect {
  /** Does a path belong to this API, even if it has no such route? */
  match(path: string): boolean
  /** The response body for a request that failed before anything was sent. */
  renderError(error: XllmError, requestId?: string): Readonly<Record<string, unknown>>
  /**
   * The last event of a stream that failed after it began. Nothing follows, so that clients do not take the answer
   * for complete.
   */
  renderStreamError(error: XllmError): string
}
