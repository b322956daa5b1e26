import type { WireError } from "../../errors/base"
import { commonTexts } from "../texts/common"

/** A request that failed, by the server's own code, or `connection_lost` if it could not be reached. */
export class ApiError extends Error {
  readonly code: WireError["code"]
  /** 0: there was no answer. */
  readonly status: number
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** What else the body of the error has. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: string,
    status: number,
    message: string,
    options: {
      readonly param?: string | undefined
      readonly retryAfterSeconds?: number | undefined
      readonly details?: Readonly<Record<string, unknown>>
    } = {},
  ) {
    super(message)
    this.name = "ApiError"
    this.code = code
    this.status = status
    this.param = options.param
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details ?? {}
  }
}

export function connectionLost(): ApiError {
  return new ApiError("connection_lost", 0, commonTexts.peek().connectionLost)
}

export async function errorOf(response: Response): Promise<ApiError> {
  const retry = Number(response.headers.get("retry-after") ?? Number.NaN)
  const body: unknown = await response.json().catch(() => undefined)
  return errorIn(body, response.status, Number.isFinite(retry) ? retry : undefined)
}

/** The error in a body, of OpenAI's form or of Ollama's. */
export function errorIn(body: unknown, status: number, retryAfterSeconds?: number): ApiError {
  const error: unknown = isRecord(body) ? body["error"] : undefined
  const record = isRecord(error) ? error : { message: error }
  const text = (name: string) => (typeof record[name] === "string" ? record[name] : undefined)
  const message = text("message") ?? commonTexts.peek().unexpected(status)
  return new ApiError(text("code") ?? text("type") ?? "unknown", status, message, {
    param: text("param"),
    retryAfterSeconds,
    details: record,
  })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
}
