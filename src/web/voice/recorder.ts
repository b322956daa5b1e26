import { request } from "../api/client"

/** The first that the browser can record. What follows the first two takes a decoder that the server may lack. */
const TYPES = [
  "audio/webm;codecs=opus",
  "audio/mp4;codecs=opus",
  "audio/mp4",
  "audio/ogg;codecs=opus",
] as const

/** Why nothing can be recorded: the page came by plain HTTP from another machine, or the browser cannot. */
export function recordingProblem(): "insecure" | "unsupported" | undefined {
  if (!isSecureContext) return "insecure"
  return typeof MediaRecorder === "undefined" || navigator.mediaDevices === undefined
    ? "unsupported"
    : undefined
}

/** A recording of the microphone. */
export class MicrophoneRecording {
  readonly #recorder: MediaRecorder
  readonly #stream: MediaStream
  readonly #pieces: Blob[] = []

  private constructor(stream: MediaStream) {
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type))
    this.#stream = stream
    this.#recorder = new MediaRecorder(stream, mimeType === undefined ? {} : { mimeType })
    this.#recorder.ondataavailable = ({ data }) => void this.#pieces.push(data)
    this.#recorder.start(1000)
  }

  /** @throws DOMException if the user or the browser does not allow it */
  static async start(): Promise<MicrophoneRecording> {
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true }
    return new MicrophoneRecording(await navigator.mediaDevices.getUserMedia({ audio }))
  }

  /** Ends it, and releases the microphone. */
  async stop(): Promise<Blob> {
    const ended = new Promise((resolve) => (this.#recorder.onstop = resolve))
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop()
      await ended
    }
    for (const track of this.#stream.getTracks()) track.stop()
    return new Blob(this.#pieces, { type: this.#recorder.mimeType })
  }
}

/** What is said in a recording. @throws ApiError */
export async function transcribed(recording: Blob, model: string): Promise<string> {
  const form = new FormData()
  form.set("model", model)
  form.set(
    "file",
    recording,
    `recording.${/mp4/.test(recording.type) ? "mp4" : /ogg/.test(recording.type) ? "ogg" : "webm"}`,
  )
  const response = await request("/v1/audio/transcriptions", { method: "POST", body: form })
  const { text } = (await response.json()) as { readonly text: string }
  return text.trim()
}
