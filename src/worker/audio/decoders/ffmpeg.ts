import { Unsupported } from "../../../errors/request"
import { type AudioFile, brokenAudio, cutShort } from "./audio-file"
import type { Container } from "./container"
import type { Pcm } from "./pcm"

const SAMPLE_RATE = 16_000
/** ffmpeg decodes an hour of audio in seconds; after this time it is stuck. */
const TIMEOUT_MS = 120_000
/**
 * Demuxers for files that we do not recognise. They read nothing but the file, unlike those of playlists, and demand a
 * signature, unlike those of raw samples.
 */
const OTHER_DEMUXERS = [
  [
    "aa",
    "aac",
    "aax",
    "ac3",
    "aea",
    "aiff",
    "amr",
    "ape",
    "ast",
    "asf",
    "asf_o",
    "au",
    "avi",
    "caf",
    "codec2",
    "dsf",
  ],
  [
    "dts",
    "dtshd",
    "dv",
    "eac3",
    "epaf",
    "flv",
    "gxf",
    "iff",
    "ilbc",
    "ircam",
    "iss",
    "loas",
    "mlp",
    "mmf",
    "mpc",
  ],
  [
    "mpc8",
    "mpeg",
    "mpegts",
    "mtaf",
    "mxf",
    "nistsphere",
    "nut",
    "oma",
    "paf",
    "pvf",
    "qcp",
    "rm",
    "shn",
    "smjpeg",
  ],
  ["sox", "spdif", "tak", "truehd", "tta", "vivo", "voc", "vqf", "w64", "wav", "wtv", "wv", "xa", "xwma"],
].flat()
/** Maximum number of boxes: fragmented files have one or two per second. */
const MAX_BOXES = 100_000

/**
 * Decodes formats without a freely licensed decoder by running ffmpeg, if installed. The demuxer is fixed and
 * only this file may be opened, so that no playlist or reference can lead elsewhere.
 * @throws Unsupported if there is no ffmpeg
 */
export async function* decodeWithFfmpeg(
  file: AudioFile,
  container: Container,
  what: string,
  maxSeconds: number,
): AsyncGenerator<Pcm> {
  const ffmpeg = Bun.which("ffmpeg")
  if (ffmpeg === null)
    throw new Unsupported(
      `${what} is read with ffmpeg, which is not installed here; install it, or send wav, mp3, flac, ogg or webm`,
      "file",
    )
  if (container === "mov") checkBoxes(file)
  yield* run(ffmpeg, file, ["-f", container], maxSeconds)
}

/** Has ffmpeg, if installed, find out what the file is. @throws InvalidRequest if it does not know either */
export async function* decodeUnknown(file: AudioFile, maxSeconds: number): AsyncGenerator<Pcm> {
  const unknown = "its content is none of wav, mp3, flac, ogg, opus, webm, m4a and mp4"
  const ffmpeg = Bun.which("ffmpeg")
  if (ffmpeg === null) throw brokenAudio(`${unknown}; other formats are read where ffmpeg is installed`)
  yield* run(ffmpeg, file, ["-format_whitelist", OTHER_DEMUXERS.join(",")], maxSeconds, `${unknown}, and `)
}

/** `demuxer`: the arguments that choose it. `preface`: what comes before ffmpeg's complaints. */
async function* run(
  ffmpeg: string,
  file: AudioFile,
  demuxer: readonly string[],
  maxSeconds: number,
  preface = "",
): AsyncGenerator<Pcm> {
  const child = Bun.spawn([ffmpeg, ...ffmpegArguments(file.path, demuxer, maxSeconds)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  })
  try {
    const complaints = new Response(child.stderr).text()
    let isEmpty = true
    for await (const channel of toFloats(child.stdout)) {
      isEmpty = false
      yield { channels: [channel], sampleRate: SAMPLE_RATE }
    }
    const status = await child.exited
    if (status !== 0 || isEmpty)
      throw brokenAudio(preface + explain(await complaints, child.signalCode !== null))
  } finally {
    child.kill("SIGKILL")
  }
}

function ffmpegArguments(path: string, demuxer: readonly string[], maxSeconds: number): string[] {
  return [
    ["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"],
    ["-protocol_whitelist", "file", ...demuxer, "-i", `file:${path}`],
    ["-map", "0:a:0", "-vn", "-sn", "-dn"],
    ["-ac", "1", "-ar", String(SAMPLE_RATE), "-t", String(maxSeconds), "-f", "f32le", "pipe:1"],
  ].flat()
}

/** Converts a stream of little-endian floats in chunks of any length. */
async function* toFloats(stream: ReadableStream<Uint8Array>): AsyncGenerator<Float32Array> {
  let rest = Buffer.alloc(0)
  for await (const piece of stream) {
    const bytes = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece])
    const count = Math.floor(bytes.length / 4)
    if (count > 0) yield new Float32Array(Uint8Array.from(bytes.subarray(0, count * 4)).buffer)
    rest = Buffer.from(bytes.subarray(count * 4))
  }
}

function explain(complaints: string, wasKilled: boolean): string {
  if (wasKilled) return `ffmpeg did not finish within ${TIMEOUT_MS / 1000} s`
  // ffmpeg begins its lines with addresses, and names the file.
  const lines = complaints.split("\n").map((line) => line.replace(/^\[.*?\] |file:\S+: /g, "").trim())
  const words = lines.filter((line) => line !== "").slice(0, 3)
  return words.length === 0 ? "ffmpeg found no audio in it" : `ffmpeg says: ${words.join("; ")}`
}

/** ffmpeg decodes what is left of a truncated file and hardly reports the loss. */
function checkBoxes(file: AudioFile): void {
  let position = 0
  for (let i = 0; i < MAX_BOXES && position < file.size; i++) {
    const header = file.read(position, 16)
    if (header.length < 8) throw cutShort("another box", "is nothing behind it")
    let size = header.readUInt32BE(0)
    // 0: to the end of the file; 1: a 64-bit size follows (ISO 14496-12, 4.2).
    if (size === 0) return
    if (size === 1 && header.length === 16) size = Number(header.readBigUInt64BE(8))
    if (size < 8) throw brokenAudio(`its MP4 box at byte ${position} is damaged`)
    position += size
  }
  if (position > file.size) throw cutShort(`${position} bytes`, `are only ${file.size}`)
}
