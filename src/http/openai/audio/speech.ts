import { Elysia } from "elysia"
import type { SpeechEvent } from "../../../domain/media/speech"
import { InternalError } from "../../../errors/base"
import { BODY_BYTES } from "../../../limits"
import { abortControllerFor } from "../../context/consume"
import { mayBeSilent } from "../../context/idle"
import { type RequestContext, requestContextOf } from "../../context/request-context"
import { readHeaderOptions } from "../../read/headers"
import { readJsonObject } from "../../read/body/json-body"
import { streamBytes } from "../../render/byte-stream"
import { PLAYER_STALL_MS } from "../../render/outbox"
import { sse } from "../../render/sse"
import { toMediaTimingsBody } from "../../render/timings"
import { toWarningHeader } from "../../render/warning-header"
import { waitingNote } from "../../render/waiting-note"
import { openAiDialect } from "../dialect"
import type { OpenAiContext } from "../reply"
import { toSpeechCall } from "./speech-call"

/** POST /v1/audio/speech */
export function speechRoutes(context: OpenAiContext) {
  return new Elysia({ name: "openai-speech" }).post(
    "/v1/audio/speech",
    async ({ request, server }) => {
      const requestContext = requestContextOf(request)
      const call = toSpeechCall(await readJsonObject(request, BODY_BYTES.speech), readHeaderOptions(request))
      mayBeSilent(request, server)
      requestContext.logRequests([call.request], context.settings().logContent)
      const client = abortControllerFor(request)
      const events = requestContext.takeModelFrom(context.engine.speak(call.request, client.signal))
      const speech = new SpeechAnswer(events, client, requestContext)
      return call.streamFormat === "sse" ? sse(speech.asEvents()) : streamBytes(speech.asFile())
    },
    { parse: "none" },
  )
}

type Done = Extract<SpeechEvent, { readonly type: "done" }>

/** Sends one speech to the client. */
class SpeechAnswer {
  readonly #common: {
    readonly events: AsyncIterable<SpeechEvent>
    readonly client: AbortController
    readonly requestContext: RequestContext
  }
  #voice: Extract<SpeechEvent, { readonly type: "voice" }> | undefined
  #done: Done | undefined

  constructor(events: AsyncIterable<SpeechEvent>, client: AbortController, requestContext: RequestContext) {
    this.#common = { events, client, requestContext }
  }

  /** As an audio file. */
  asFile() {
    return {
      ...this.#common,
      headers: () => this.#headers(),
      bytes: (event: SpeechEvent) => this.#observe(event),
      end: () => void this.#complete(),
    }
  }

  /** As OpenAI's speech events. */
  asEvents() {
    return {
      ...this.#common,
      stallMs: PLAYER_STALL_MS,
      waiting: speechNote,
      render: (event: SpeechEvent) => {
        const bytes = this.#observe(event)
        return bytes === undefined ? "" : deltaEvent(bytes)
      },
      end: () => doneEvent(this.#complete()),
      fail: openAiDialect.renderStreamError,
    }
  }

  #headers(): Readonly<Record<string, string>> {
    return {
      "content-type": this.#voice?.mime ?? "application/octet-stream",
      // Raw samples do not contain their sample rate.
      ...(this.#voice !== undefined && { "x-sample-rate": String(this.#voice.sampleRate) }),
      ...(this.#voice?.warnings !== undefined && { "x-warning": toWarningHeader(this.#voice.warnings) }),
      "cache-control": "no-store",
      // Keeps nginx from buffering chunks.
      "x-accel-buffering": "no",
    }
  }

  /** The audio in an event. */
  #observe(event: SpeechEvent): Uint8Array | undefined {
    switch (event.type) {
      case "voice":
        this.#voice = event
        return undefined
      case "audio":
        return event.bytes.byteLength === 0 ? undefined : event.bytes
      case "done":
        this.#done = event
        this.#common.requestContext.measured(event.usage)
        return undefined
      case "loading":
      case "queued":
        return undefined
      default:
        return event satisfies never
    }
  }

  /** @throws InternalError */
  #complete(): Done {
    if (this.#done === undefined) throw new InternalError("the speech broke off before its end")
    return this.#done
  }
}

/** The comment for an event before the first audio. */
function speechNote(event: SpeechEvent): string | undefined {
  if (event.type === "voice") return "speaking"
  return event.type === "audio" && event.bytes.byteLength === 0 ? "speaking" : waitingNote(event)
}

function deltaEvent(bytes: Uint8Array): string {
  // Base64 needs no escaping.
  return `data: {"type":"speech.audio.delta","audio":"${bytes.toBase64()}"}\n\n`
}

/** Speech is measured in characters and seconds; OpenAI's token counts do not apply. */
function doneEvent({ usage, timings, warnings }: Done): string {
  const body = {
    type: "speech.audio.done",
    usage: {
      type: "duration",
      seconds: usage.audioSeconds,
      characters: usage.characters,
      sentences: usage.sentences,
    },
    timings: toMediaTimingsBody(timings),
    ...(warnings !== undefined && { warnings }),
  }
  return `data: ${JSON.stringify(body)}\n\n`
}
