import { existsSync } from "node:fs"
import { logSettings } from "../../../config/sections/log"
import { modelSettings } from "../../../config/sections/model"
import { storeSettings } from "../../../config/sections/pull"
import { connectionSettings } from "../../../config/sections/server"
import { decimal, integer, oneOf, text, type Value } from "../../../config/values"
import type { ImageEvent, ImageFormat, ImageRequest } from "../../../domain/media/image"
import { UsageError } from "../../../errors/cli"
import { checkImageSize, DEFAULT_STRENGTH, IMAGE_FORMATS } from "../../../http/read/media-options"
import { IMAGES, TEXTS } from "../../../limits"
import { defineCommand } from "../../args/command"
import { configFlag, type FlagValues, grouped, switchFlag } from "../../args/flags"
import { type ModelWork, withModel } from "../../client/with-model"
import { loadingText, queuedText } from "../../client/print-answer"
import { existingFile } from "../../terminal/given-file"
import type { Io } from "../../terminal/io"
import { printable, toJson } from "../../terminal/output"
import { fileOutput, type OutputTarget, stdoutOutput } from "../../terminal/output-file"
import { ProgressBar } from "../../terminal/progress-bar"
import { startSpinner } from "../../terminal/spinner"

interface Size {
  readonly width: number
  readonly height: number
}

const size: Value<Size> = {
  placeholder: "WxH",
  parse(given, origin) {
    const [, width, height] = /^(\d{1,5})x(\d{1,5})$/i.exec(given) ?? []
    if (width === undefined || height === undefined) {
      throw new UsageError(`${origin} must be WIDTHxHEIGHT, such as 512x512, got '${given}'`)
    }
    return checkImageSize(origin, Number(width), Number(height))
  },
}

const flagTable = {
  output: {
    value: text("FILE"),
    description: "output file; - = stdout (default: named after the prompt)",
    short: "o",
  },
  size: { value: size, description: "in pixels, such as 512x512 (default: the model's own)" },
  steps: {
    value: integer("N", IMAGES.steps.min, IMAGES.steps.max),
    description: "denoising steps; more take longer",
  },
  seed: {
    value: integer("N", 0, IMAGES.seed.max),
    description: "random seed; the same seed gives the same image",
  },
  count: {
    value: integer("N", IMAGES.count.min, IMAGES.count.max),
    description: "number of images (default 1)",
    short: "n",
  },
  negative: { value: text("TEXT", TEXTS.imagePrompt), description: "negative prompt: what to avoid" },
  cfgScale: {
    value: decimal("N", IMAGES.cfgScale.min, IMAGES.cfgScale.max),
    description: "guidance scale: how closely the image follows the prompt",
  },
  sampler: { value: text("NAME", TEXTS.word), description: "sampler, such as euler_a" },
  scheduler: { value: text("NAME", TEXTS.word), description: "noise scheduler, such as karras" },
  format: { value: oneOf(...IMAGE_FORMATS), description: "format, if the file's extension does not set it" },
  quality: {
    value: integer("N", IMAGES.compression.min, IMAGES.compression.max),
    description: "quality of jpeg and webp, 0 to 100",
  },
  image: { value: text("FILE"), description: "image to start from" },
  strength: {
    value: decimal("N", IMAGES.strength.min, IMAGES.strength.max),
    description: `how much of that image changes, 0 to 1 (default ${DEFAULT_STRENGTH})`,
  },
  json: switchFlag("print a summary as JSON"),
  ...grouped(connectionSettings, "Flags"),
  ...configFlag,
  ...grouped({ ...storeSettings, threads: modelSettings.threads, ...logSettings }, "Without a server"),
}

type ImageFlags = FlagValues<typeof flagTable>

/** Formats by file extension. */
const ENDINGS: Readonly<Record<string, ImageFormat>> = {
  png: "png",
  jpg: "jpeg",
  jpeg: "jpeg",
  webp: "webp",
}

/** A file named after its prompt uses at most this many characters of it. */
const NAME_CHARACTERS = 40

export const command = defineCommand({
  name: "image",
  summary: "Generate images",
  words: "MODEL PROMPT…",
  minimumWords: 1,
  details: `MODEL is an image model, by name or path; the prompt may be piped in. Several images are numbered.

Uses the server at --host (or XLLM_HOST) if one answers; otherwise, and for a path, the model runs without a server.`,
  examples: [
    { line: 'xllm image sd "a cat in the rain" -o cat.png', does: "one image" },
    { line: 'xllm image sd "a cat" --size 512x768 --steps 20 --seed 7', does: "the same image every time" },
    { line: 'xllm image sd "a dog" --image cat.png --strength 0.6', does: "from another image" },
  ],
  flags: flagTable,
  async run({ flags, words: [model = "", ...words], io }) {
    const prompt = await readPrompt(words, io)
    const toStdout =
      flags.output === "-" || (flags.output === undefined && !io.stdoutIsTerminal && !flags.json)
    if (toStdout) checkStdout(flags, io)
    const format = chooseFormat(flags)
    const source = await readSource(flags)
    await withModel(
      model,
      { flags, io, files: source === undefined ? [] : [source.imagePath] },
      async (work) => {
        const request = toRequest(work.model, prompt, format, flags)
        const name = flags.output ?? freeName(prompt, format, isTakenFor(request.n))
        const open = (index: number) =>
          toStdout ? Promise.resolve(stdoutOutput(io)) : fileOutput(numbered(name, index, request.n))
        const drawn = await drawImages(work, { ...request, ...(source && { source }) }, open, io)
        if (flags.json) io.write(toJson({ model: work.model, ...drawn }))
        else if (!toStdout) for (const { file = "" } of drawn.images) io.write(`${printable(file)}\n`)
      },
    )
  },
})

async function readPrompt(words: readonly string[], io: Io): Promise<string> {
  const prompt = words.length > 0 ? words.join(" ") : io.stdinIsTerminal ? "" : await io.readInput()
  const { maxLength } = TEXTS.imagePrompt
  const characters = Array.from(prompt.trim()).length
  if (characters > maxLength) {
    throw new UsageError(`the prompt must have at most ${maxLength} characters, got ${characters}`)
  }
  if (characters > 0) return prompt.trim()
  throw new UsageError("image needs a PROMPT: write it after the model's name, or pipe it in")
}

/** @throws UsageError */
function checkStdout({ count = 1, json }: ImageFlags, io: Io): void {
  if (io.stdoutIsTerminal)
    throw new UsageError("refusing to write an image to a terminal; name a file with -o")
  if (count > 1) throw new UsageError("several images need files: name one with -o, and they are numbered")
  if (json) throw new UsageError("--json needs files for the images: name one with -o")
}

/** @throws UsageError where a file's name says nothing */
function chooseFormat({ format, output }: ImageFlags): ImageFormat {
  if (format !== undefined) return format
  if (output === undefined || output === "-") return "png"
  const ending = /\.([^./]+)$/.exec(output)?.[1]?.toLowerCase() ?? ""
  const known = Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined
  if (known !== undefined) return known
  throw new UsageError(
    `the name of ${output} does not set the format; add --format ${IMAGE_FORMATS.join("|")}`,
  )
}

/** @throws FileFailed, UsageError */
async function readSource({
  image,
  strength = DEFAULT_STRENGTH,
}: ImageFlags): Promise<ImageRequest["source"]> {
  return image === undefined ? undefined : { imagePath: await existingFile(image), strength }
}

function toRequest(model: string, prompt: string, format: ImageFormat, flags: ImageFlags): ImageRequest {
  const { steps, seed, negative, cfgScale, sampler, scheduler, quality } = flags
  return {
    kind: "image",
    model,
    prompt,
    n: flags.count ?? 1,
    format,
    preview: false,
    ...flags.size,
    ...(steps !== undefined && { steps }),
    ...(seed !== undefined && { seed }),
    ...(negative !== undefined && { negativePrompt: negative }),
    ...(cfgScale !== undefined && { cfgScale }),
    ...(sampler !== undefined && { sampler }),
    ...(scheduler !== undefined && { scheduler }),
    ...(quality !== undefined && format !== "png" && { compression: quality }),
  }
}

/** `a-cat-in-the-rain.png`; with a number appended if the file exists. */
export function freeName(prompt: string, format: ImageFormat, isTaken: (name: string) => boolean): string {
  const words = prompt
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .slice(0, NAME_CHARACTERS)
    .replace(/^-|-$/g, "")
  const name = words === "" ? "image" : words
  for (let number = 1; ; number++) {
    const candidate = `${name}${number === 1 ? "" : `-${number}`}.${format}`
    if (!isTaken(candidate)) return candidate
  }
}

/** Would writing `count` images under this name replace an existing file? */
export function isTakenFor(
  count: number,
  exists: (name: string) => boolean = existsSync,
): (name: string) => boolean {
  return (name) => Array.from({ length: count }, (_, index) => numbered(name, index, count)).some(exists)
}

/** The first of several images is `cat-1.png`. */
function numbered(name: string, index: number, count: number): string {
  return count === 1 ? name : name.replace(/(\.[^./]*)?$/, `-${index + 1}$1`)
}

interface DrawnImage extends Size {
  readonly file: string | undefined
  readonly seed: number
}

export async function drawImages(
  { backend, signal }: ModelWork,
  request: ImageRequest,
  open: (index: number) => Promise<OutputTarget>,
  io: Io,
) {
  const spinner = startSpinner(io)
  const bar = new ProgressBar(io)
  const images: DrawnImage[] = []
  let done: Extract<ImageEvent, { readonly type: "done" }> | undefined
  try {
    for await (const event of backend.generateImage(request, signal)) {
      if (event.type === "loading") spinner.say(loadingText(event.fraction))
      else if (event.type === "queued") spinner.say(queuedText(event.position))
      else if (event.type === "done") done = event
      else if (event.type === "step") {
        spinner.stop()
        bar.show({ item: event.image + 1, items: request.n, step: event.step, steps: event.steps })
      } else if (event.type === "image") {
        const { width, height, seed } = event
        images.push({ file: await write(event.bytes, await open(event.image)), width, height, seed })
      }
    }
  } finally {
    spinner.stop()
    bar.clear()
  }
  return {
    images,
    steps: done?.usage.steps,
    timings: done && {
      queue_ms: done.timings.queueMs,
      load_ms: done.timings.loadMs,
      work_ms: done.timings.workMs,
    },
  }
}

async function write(bytes: Uint8Array, opened: OutputTarget): Promise<string | undefined> {
  await using output = opened
  await output.write(bytes)
  await output.finish()
  return output.path
}
