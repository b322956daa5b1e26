/**
 * The sidecar: stable-diffusion.cpp on the Bare runtime, for which its package is made. It exchanges the
 * messages of `sidecar-messages.ts` on file descriptor 3; the library prints to stdout and stderr. It handles
 * one message at a time and knows nothing about requests.
 *
 * JavaScript rather than TypeScript, because Bare runs it as is.
 */
"use strict"

const fs = require("bare-fs")
const os = require("bare-os")
const { SdInterface, mapAddonEvent } = require("@qvac/diffusion-cpp/addon.js")
const binding = require("@qvac/diffusion-cpp/binding.js")

/**
 * In both directions: the lengths of a JSON text and of the bytes after it, as 32-bit little-endian numbers.
 */
const CHANNEL = 3
const FRAME_HEAD_BYTES = 8
const READ_BYTES = 1 << 16

/** @type {SdInterface | undefined} */
let engine

/** The most memory that was seen at an event of the library. */
let residentBytes = 0

function measured() {
  residentBytes = Math.max(residentBytes, os.memoryUsage().rss)
  return residentBytes
}

/** Frames are sent one after another. */
let sending = Promise.resolve()

function send(message, bytes = new Uint8Array(0)) {
  const text = Buffer.from(JSON.stringify(message))
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUInt32LE(text.length, 0)
  head.writeUInt32LE(bytes.length, 4)
  const frame = Buffer.concat([head, text, bytes])
  sending = sending.then(() => write(frame), end)
}

async function write(frame) {
  for (let start = 0; start < frame.length;) {
    start += await fs.write(CHANNEL, frame, start, frame.length - start)
  }
}

/** Bare.exit waits for the library's threads, forever if one of them was not told to stop. */
function end() {
  os.kill(os.pid(), "SIGKILL")
}

function listen() {
  binding.setLogger((level, text) => send({ type: "log", level, text: text.trim() }))
}

/** Log messages are queued until the event loop runs: waits so that they are sent before the next message. */
function saidAll() {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Fields that the package requires but only uses for video and larger images. */
const NO_FILES = {
  highNoiseDiffusionModelPath: "",
  uncondDiffusionModelPath: "",
  clipVisionPath: "",
  esrganPath: "",
  audioVaePath: "",
  embeddingsConnectorsPath: "",
}

async function load({ files, config }) {
  try {
    engine = new SdInterface(binding, { ...NO_FILES, ...files, config }, take)
    // Blocks until the model is loaded; progress is printed on stdout.
    await engine.activate()
    await saidAll()
    send({ type: "loaded", residentBytes: measured() })
  } catch (error) {
    engine = undefined
    await saidAll()
    send({ type: "load-failed", reason: String(error.message ?? error) })
  }
}

async function draw({ parameters }, source) {
  try {
    const isAccepted = await engine.runJob({
      ...parameters,
      mode: source.length > 0 ? "img2img" : "txt2img",
      ...(source.length > 0 && { init_image: source }),
    })
    if (!isAccepted) fail("the engine is busy")
  } catch (error) {
    fail(String(error.message ?? error))
  }
}

/** Log messages of a job precede its end: later ones would be taken for those of the next job. */
async function finish(message) {
  await saidAll()
  send({ ...message, residentBytes: measured() })
}

function fail(reason) {
  void finish({ type: "failed", reason })
}

/** An event of the library: a step (as JSON), an image (as PNG), or the end of a job. */
function take(_engine, event, data, error) {
  const mapped = mapAddonEvent(event, data, error)
  if (mapped === null) return
  measured()
  if (mapped.type === "Error") fail(String(mapped.error))
  else if (mapped.type === "JobEnded") void finish({ type: "done" })
  else if (typeof mapped.data === "string") send({ type: "progress", ...JSON.parse(mapped.data) })
  else send({ type: "image" }, mapped.data)
}

function handle(message, bytes) {
  switch (message.type) {
    case "load":
      return void load(message)
    case "draw":
      return void draw(message, bytes)
    case "cancel":
      return void engine?.cancel()
    default:
      throw new Error(`unknown message ${message.type}`)
  }
}

/** Reads frames until the other side closes the channel. */
async function main() {
  listen()
  let received = Buffer.alloc(0)
  const chunk = Buffer.alloc(READ_BYTES)
  for (;;) {
    const length = await fs.read(CHANNEL, chunk, 0, chunk.length)
    if (length === 0) return end()
    received = Buffer.concat([received, chunk.subarray(0, length)])
    for (;;) {
      if (received.length < FRAME_HEAD_BYTES) break
      const textEnd = FRAME_HEAD_BYTES + received.readUInt32LE(0)
      const frameEnd = textEnd + received.readUInt32LE(4)
      if (received.length < frameEnd) break
      const message = JSON.parse(received.subarray(FRAME_HEAD_BYTES, textEnd).toString())
      // A copy: the library keeps the bytes longer than this buffer lives.
      const bytes = new Uint8Array(received.subarray(textEnd, frameEnd))
      received = received.subarray(frameEnd)
      handle(message, bytes)
    }
  }
}

main().catch((error) => {
  fs.writeSync(2, `${error.stack ?? error}\n`)
  end()
})
