import { Elysia } from "elysia"
import type { TranscriptionEvent, TranscriptionRequest } from "../../../domain/media/transcription"
import { InvalidRequest } from "../../../errors/request"
import { toSrt, toVtt } from "../../../formats/subtitles"
import { type Transcript, TranscriptBuilder } from "../../../formats/transcript"
import { abortControllerFor, consume } from "../../context/consume"
import { mayBeSilent } from "../../context/idle"
import { type RequestContext, requestContextOf } from "../../context/request-context"
import { readHeaderOptions } from "../../read/headers"
import { type Form, readForm, toJsonObject, type UploadedFile } from "../../read/body/multipart"
import { sse } from "../../render/sse"
import { toMediaTimingsBody } from "../../render/timings"
import { toDurationUsage, toSegmentBody, toVerboseJson } from "../../render/verbose-transcript"
import { toWarningHeader } from "../../render/warning-header"
import { waitingNote } from "../../render/waiting-note"
import { openAiDialect } from "../dialect"
import type { OpenAiContext } from "../reply"
import { toTranscriptionCall, TRANSCRIPTION_FORM, type TranscriptionCall } from "./transcription-call"

/** POST /v1/audio/transcriptions and /v1/audio/translations */
export function transcriptionRoutes(context: OpenAiContext) {
  const read = async (request: Request, task: TranscriptionRequest["task"]): Promise<TranscriptionCall> => {
    const headers = readHeaderOptions(request)
    const form = await readForm(request, {
      uploads: context.uploads,
      requestContext: requestContextOf(request),
      files: ["file"],
      limitBytes: context.settings().uploadLimitBytes,
    })
    const body = toJsonObject(form, TRANSCRIPTION_FORM)
    return toTranscriptionCall({ body, audioPath: audioOf(form).path, task, headers })
  }
  return new Elysia({ name: "openai-transcriptions" })
    .post(
      "/v1/audio/transcriptions",
      async ({ request, server }) => {
        const call = await read(request, "transcribe")
        mayBeSilent(request, server)
        return transcribe(context, call, requestContextOf(request), abortControllerFor(request))
      },
      { parse: "none" },
    )
    .post(
      "/v1/audio/translations",
      async ({ request, server }) => {
        const call = await read(request, "translate")
        mayBeSilent(request, server)
        return transcribe(context, call, requestContextOf(request), abortControllerFor(request))
      },
      { parse: "none" },
    )
}

/** @throws InvalidRequest */
function audioOf({ files, texts }: Form): UploadedFile {
  const [file, ...others] = files.get("file") ?? []
  if (file === undefined) {
    const how = texts.has("file") ? "must be a part with a file name" : "is required"
    throw new InvalidRequest(`file ${how}`, "file")
  }
  if (others.length > 0) throw new InvalidRequest("file must come once", "file")
  if (file.sizeBytes === 0) throw new InvalidRequest("file is empty", "file")
  return file
}

async function transcribe(
  context: OpenAiContext,
  call: TranscriptionCall,
  requestContext: RequestContext,
  client: AbortController,
): Promise<Response> {
  requestContext.logRequests([call.request], context.settings().logContent)
  const events = requestContext.takeModelFrom(context.engine.transcribe(call.request, client.signal))
  const builder = new TranscriptBuilder()
  const add = (event: TranscriptionEvent): string => {
    if (event.type === "done") requestContext.measured(event.usage)
    const text = builder.add(event)
    requestContext.logText(text)
    return text
  }
  if (call.stream) {
    return sse({
      events,
      client,
      requestContext,
      render: (event) => segmentEvents(event, add(event), call),
      waiting: (event) => (event.type === "audio" ? "listening" : waitingNote(event)),
      end: () => doneEvent(builder),
      fail: openAiDialect.renderStreamError,
    })
  }
  await consume(events[Symbol.asyncIterator](), client.signal, add)
  return toResponse(builder, call)
}

function toResponse(
  builder: TranscriptBuilder,
  { format, request, granularities }: TranscriptionCall,
): Response {
  const transcript = builder.build()
  switch (format) {
    case "json":
      return Response.json({
        text: transcript.text,
        usage: toDurationUsage(transcript.audioSeconds),
        ...(transcript.warnings.length > 0 && { warnings: transcript.warnings }),
      })
    case "verbose_json":
      return Response.json(toVerboseJson(transcript, request.task, granularities))
    case "text":
      return plain(transcript, `${transcript.text}\n`)
    case "srt":
      return plain(transcript, toSrt(transcript))
    case "vtt":
      return plain(transcript, toVtt(transcript), "text/vtt; charset=utf-8")
    default:
      return format satisfies never
  }
}

/** Formats without a place for warnings have them in a header. */
function plain({ warnings }: Transcript, text: string, type = "text/plain; charset=utf-8"): Response {
  const headers = new Headers({ "content-type": type })
  if (warnings.length > 0) headers.set("x-warning", toWarningHeader(warnings))
  return new Response(text, { headers })
}

/** OpenAI's events for a segment: its text, and its times with `verbose_json`. */
function segmentEvents(event: TranscriptionEvent, text: string, { format }: TranscriptionCall): string {
  if (event.type !== "segment") return ""
  const delta = text === "" ? "" : dataEvent({ type: "transcript.text.delta", delta: text })
  if (format !== "verbose_json") return delta
  const { index, words } = event.segment
  const timed = {
    type: "transcript.text.segment",
    id: String(index),
    ...toSegmentBody(event.segment),
    ...(words && { words }),
  }
  return delta + dataEvent(timed)
}

function doneEvent(builder: TranscriptBuilder): string {
  const { text, language, audioSeconds, timings, warnings } = builder.build()
  return dataEvent({
    type: "transcript.text.done",
    text,
    ...(language !== undefined && { language }),
    usage: toDurationUsage(audioSeconds),
    timings: toMediaTimingsBody(timings),
    ...(warnings.length > 0 && { warnings }),
  })
}

function dataEvent(body: object): string {
  return `data: ${JSON.stringify(body)}\n\n`
}
