import type { XllmError } from "../../errors/base"
import { PushStream } from "../../lib/async/push-stream"
import type { CreateEvent } from "../../store/create/create"
import type { PullEvent } from "../../store/pull/events"
import { abortControllerFor, consume } from "../context/consume"
import { requestContextOf } from "../context/request-context"
import { JSON_LINES, sse } from "./sse"

/** What a pull or a creation reports. */
export type Progress = PullEvent | CreateEvent

export interface Reporting {
  readonly isStream: boolean
  run(signal: AbortSignal, onEvent: (event: Progress) => void): Promise<unknown>
  /** The line for an error. */
  fail(error: XllmError): string
}

/** Runs a long piece of work: its progress as lines, or, without a stream, only that it succeeded. */
export async function reportProgress(
  request: Request,
  { isStream, run, fail }: Reporting,
): Promise<Response> {
  const client = abortControllerFor(request)
  const requestContext = requestContextOf(request)
  const events = new PushStream<Progress>()
  const work = run(client.signal, (event) => events.push(event))
  work.then(
    () => events.end(),
    (error: unknown) => events.fail(error),
  )
  if (!isStream) {
    await consume(events[Symbol.asyncIterator](), client.signal, () => {})
    return Response.json({ status: "success" })
  }
  return await sse({
    framing: JSON_LINES,
    events: startingAtOnce(events),
    client,
    requestContext,
    render: (event) => (event === undefined ? "" : toLine(event)),
    waiting: () => undefined,
    end: () => "",
    fail,
  })
}

/** As in Ollama, what fails is reported in the stream, which clients look at; so it begins whatever comes. */
async function* startingAtOnce(events: AsyncIterable<Progress>): AsyncGenerator<Progress | undefined> {
  yield undefined
  yield* events
}

function toLine(event: Progress): string {
  const body = toBody(event)
  return body === undefined ? "" : `${JSON.stringify(body)}\n`
}

function toBody(event: Progress): object | undefined {
  if (event.type === "status") return { status: event.status }
  if (event.type === "note") return { status: event.text }
  if (event.type === "warning") return { status: `warning: ${event.message}` }
  if ("doneBytes" in event)
    return { status: `reading ${event.file}`, completed: event.doneBytes, total: event.totalBytes }
  const { status, digest, total, completed } = event
  return { status, ...(digest !== undefined && { digest }), ...(total !== undefined && { total }), completed }
}
