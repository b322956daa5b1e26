import type { GenerationEvent } from "../../domain/chat"
import type { Answering } from "../../engine/contract"
import type { XllmError } from "../../errors/base"
import { consume } from "../context/consume"
import type { RequestContext } from "../context/request-context"
import { type Framing, sse } from "./sse"
import { waitingNote } from "./waiting-note"

/** Writes a chat in the form of an API whose events end the stream by themselves. */
export interface ChatWriter {
  /** The stream's text for an event; empty for events without any. Called for every event, with a stream or without. */
  render(event: GenerationEvent): string
  /** The whole answer, once all events were rendered. @throws InternalError if some are missing */
  whole(): Readonly<Record<string, unknown>>
}

export interface ChatReply {
  readonly events: Answering<GenerationEvent>
  readonly writer: ChatWriter
  readonly stream: boolean
  readonly client: AbortController
  readonly requestContext: RequestContext
  /** Absent: server-sent events. */
  readonly framing?: Framing
  /** The text to send if a stream fails after it began. */
  fail(error: XllmError): string
}

/** The response to a chat: a stream, or the whole answer. */
export async function replyToChat({ writer, stream, ...reply }: ChatReply): Promise<Response> {
  const { events, client, requestContext } = reply
  const render = (event: GenerationEvent): string => {
    requestContext.observe(event)
    return writer.render(event)
  }
  if (stream) return await sse({ ...reply, render, waiting: (event) => waitingNote(event), end: () => "" })
  await consume(events[Symbol.asyncIterator](), client.signal, (event) => void render(event))
  return Response.json(writer.whole())
}
