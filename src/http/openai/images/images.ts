import { Elysia } from "elysia"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { abortControllerFor, consume } from "../../context/consume"
import { mayBeSilent } from "../../context/idle"
import { requestContextOf } from "../../context/request-context"
import { readHeaderOptions } from "../../read/headers"
import { readJsonObject } from "../../read/body/json-body"
import { type Form, readForm, toJsonObject } from "../../read/body/multipart"
import { sse } from "../../render/sse"
import { openAiDialect } from "../dialect"
import type { OpenAiContext } from "../reply"
import { ImageAnswerBuilder, type ImagePlace } from "./image-answer"
import {
  IMAGE_FORM,
  type ImageCall,
  type SourceFiles,
  toEditCall,
  toGenerationCall,
  toVariationCall,
} from "./image-call"
import { type ImageEventPrefix, ImageEvents } from "./image-stream"

/** POST /v1/images/generations, /v1/images/edits and /v1/images/variations */
export function imageRoutes(context: OpenAiContext) {
  const readImageForm = (request: Request): Promise<Form> =>
    readForm(request, {
      uploads: context.uploads,
      requestContext: requestContextOf(request),
      files: ["image", "image[]", "mask"],
      limitBytes: context.settings().uploadLimitBytes,
    })
  return new Elysia({ name: "openai-images" })
    .post(
      "/v1/images/generations",
      async ({ request, server }) => {
        const call = toGenerationCall(await readJsonObject(request), readHeaderOptions(request))
        mayBeSilent(request, server)
        return draw(context, call, request, "image_generation")
      },
      { parse: "none" },
    )
    .post(
      "/v1/images/edits",
      async ({ request, server }) => {
        const headers = readHeaderOptions(request)
        const form = await readImageForm(request)
        const call = toEditCall(toJsonObject(form, IMAGE_FORM), filesOf(form), headers)
        mayBeSilent(request, server)
        return draw(context, call, request, "image_edit")
      },
      { parse: "none" },
    )
    .post(
      "/v1/images/variations",
      async ({ request, server }) => {
        const headers = readHeaderOptions(request)
        const form = await readImageForm(request)
        const { imagePath } = filesOf(form)
        const call = toVariationCall(toJsonObject(form, IMAGE_FORM), { imagePath }, headers)
        mayBeSilent(request, server)
        return draw(context, call, request, "image_edit")
      },
      { parse: "none" },
    )
}

/** @throws InvalidRequest, Unsupported */
function filesOf(form: Form): SourceFiles {
  const [image, ...others] = [...(form.files.get("image") ?? []), ...(form.files.get("image[]") ?? [])]
  if (image === undefined) throw new InvalidRequest("image is required: a part with a file name", "image")
  if (others.length > 0) throw new Unsupported("several images are not supported", "image")
  const [mask] = form.files.get("mask") ?? []
  for (const [name, file] of Object.entries({ image, mask })) {
    if (file?.sizeBytes === 0) throw new InvalidRequest(`${name} is empty`, name)
  }
  return { imagePath: image.path, ...(mask !== undefined && { maskPath: mask.path }) }
}

async function draw(
  context: OpenAiContext,
  call: ImageCall,
  request: Request,
  prefix: ImageEventPrefix,
): Promise<Response> {
  const { engine, images: files, settings } = context
  const requestContext = requestContextOf(request)
  requestContext.logRequests([call.request], settings().logContent)
  const client = abortControllerFor(request)
  const events = requestContext.takeModelFrom(engine.generateImage(call.request, client.signal))
  const place: ImagePlace = { files, request, publicUrl: settings().publicUrl }
  if (call.stream) {
    const rendered = new ImageEvents(call, place, prefix, requestContext)
    return sse({
      events: rendered.render(events),
      client,
      requestContext,
      render: ({ text }) => text,
      waiting: ({ note }) => note,
      end: () => rendered.end(),
      fail: openAiDialect.renderStreamError,
    })
  }
  const answer = new ImageAnswerBuilder(call, place)
  await consume(events[Symbol.asyncIterator](), client.signal, (event) => {
    if (event.type === "done") requestContext.measured(event.usage)
    answer.add(event)
  })
  return answer.build()
}
