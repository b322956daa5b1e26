import type { XllmError } from "../../errors/base"

/**
 * An API that the server speaks, as far as requests need it that never reach a route. Each dialect has its own folder and
 * a row in plugins/dialects.ts; no dialect imports another.
 */
export interface Dialect {
  /** Does a path belong to this API, whether or not it has such a route? */
  match(path: string): boolean
  /** The body of the response to a request that failed before anything was sent. */
  renderError(error: XllmError): Readonly<Record<string, unknown>>
  /**
   * The last event of a stream whose answer failed after it began. Nothing follows it, so no client takes the answer for
   * complete.
   */
  renderStreamError(error: XllmError): string
}
