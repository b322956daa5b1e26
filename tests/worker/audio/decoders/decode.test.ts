import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { AudioFormat } from "../../../../src/domain/media/speech"
import { locateSpeech } from "../../../../src/native/speech-files"
import { ASR_SAMPLE_RATE, decodeAudio } from "../../../../src/worker/audio/decoders/decode"
import { createEncoder, type Resampler } from "../../../../src/worker/audio/encoders/create"
import { openSherpa } from "../../../../src/worker/sherpa"
import { mulberry } from "../../../support/files/mulberry"
import { encodeWav, SAMPLE_FORMATS, toneSamples, type WavOptions } from "../../../support/files/recordings"
import { hasFfmpeg } from "../../../support/real/ffmpeg"
import { tempFolder } from "../../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const sherpa = openSherpa(await locateSpeech(join(folder.path, "runtime")))
const SOUND = toneSamples("hello world")

function makeResampler(from: number): Resampler {
  const resampler = sherpa.createLinearResampler(from, ASR_SAMPLE_RATE)
  return {
    push: (samples) => sherpa.resampleLinear(resampler, samples, 0),
    end: () => sherpa.resampleLinear(resampler, new Float32Array(0), 1),
  }
}

let files = 0

async function decode(bytes: Uint8Array, maxSeconds?: number): Promise<Float32Array> {
  return (await decodeWarned(bytes, maxSeconds)).samples
}

/** Decodes a file, and returns the warnings too. */
async function decodeWarned(bytes: Uint8Array, maxSeconds?: number) {
  const warnings: string[] = []
  const path = join(folder.path, `file-${files++}`)
  writeFileSync(path, bytes)
  const recording = await decodeAudio(path, {
    makeResampler,
    pause: () => Promise.resolve(),
    warn: (warning) => warnings.push(warning),
    ...(maxSeconds !== undefined && { maxSeconds }),
  })
  return { samples: recording.slice(0, recording.length), warnings }
}

/** How alike two sounds are, from -1 to 1, the second shifted by some samples. */
function likeness(a: Float32Array, b: Float32Array, shift = 0): number {
  let ab = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i + shift] ?? 0]
    ab += x * y
    aa += x * x
    bb += y * y
  }
  return ab / Math.sqrt(aa * bb)
}

/** With the shift, up to `most` samples, by which they are most alike. */
function bestLikeness(a: Float32Array, b: Float32Array, most: number): number {
  let best = -1
  for (let shift = 0; shift <= most; shift++) best = Math.max(best, likeness(a, b, shift))
  return best
}

async function encode(format: AudioFormat): Promise<Buffer> {
  const encoder = await createEncoder(format, ASR_SAMPLE_RATE, () => {
    throw new Error("no other rate is needed")
  })
  return Buffer.concat([encoder.push(SOUND), encoder.end()])
}

async function ffmpeg(...output: string[]): Promise<Buffer> {
  const path = join(folder.path, `made-${files++}`)
  const child = Bun.spawn(["ffmpeg", "-v", "error", "-i", "pipe:0", ...output, path], {
    stdin: encodeWav(SOUND),
    stderr: "pipe",
  })
  if ((await child.exited) !== 0) throw new Error(await child.stderr.text())
  return Buffer.from(await Bun.file(path).arrayBuffer())
}

const FLAC = await encode("flac")
const OPUS = await encode("opus")

describe("a WAV file", () => {
  test.each(Object.keys(SAMPLE_FORMATS) as (keyof typeof SAMPLE_FORMATS)[])(
    "of %s samples",
    async (format) => {
      const samples = await decode(encodeWav(SOUND, { format }))
      expect(samples.length).toBe(SOUND.length)
      expect(likeness(SOUND, samples)).toBeGreaterThan(0.999)
    },
  )

  test.each<[string, WavOptions, number]>([
    ["stereo", { channels: 2 }, 1],
    ["six channels", { channels: 6 }, 1],
    ["8 kHz", { sampleRate: 8000 }, 2],
    ["48 kHz", { sampleRate: 48_000 }, 1 / 3],
  ])("in %s comes out as one channel at 16 kHz", async (_, options, factor) => {
    const samples = await decode(encodeWav(SOUND, options))
    expect(Math.abs(samples.length - SOUND.length * factor)).toBeLessThan(10)
  })

  const UNKNOWN = "does not say how long the recording is, as when it comes from a pipe"
  const REST = SOUND.length * 2
  const PIECE = Buffer.alloc(2)

  test.each<[number, string]>([
    [0xffffffff, UNKNOWN],
    [0x80000000, UNKNOWN],
    [0x80000000 - 36, UNKNOWN],
    [0x7ffff000, UNKNOWN],
    [0, UNKNOWN],
    [REST + 1, `declares ${REST + 1} bytes of sound, but there are ${REST}`],
    [REST * 2, `declares ${REST * 2} bytes of sound, but there are ${REST}`],
    [100, `declares 100 bytes of sound, but there are ${REST}`],
  ])("whose header says the length %p is read to its end, with a warning", async (dataSize, words) => {
    const { samples, warnings } = await decodeWarned(encodeWav(SOUND, { dataSize }))
    expect(samples.length).toBe(SOUND.length)
    expect(warnings).toEqual([`the WAV header ${words}; it was read to the end of the file`])
  })

  test.each<[string, Buffer, number]>([
    ["lacks its last byte", encodeWav(SOUND).subarray(0, -1), SOUND.length - 1],
    ["lacks half of its samples", encodeWav(SOUND).subarray(0, 20_000), (20_000 - 44) / 2],
  ])("that %s is read as far as it goes, with a warning", async (_, bytes, count) => {
    const { samples, warnings } = await decodeWarned(bytes)
    expect(samples.length).toBe(count)
    expect(warnings).toEqual([expect.stringContaining("the WAV header declares 56320 bytes of sound")])
  })

  /** A chunk of a WAVE file. */
  function chunk(name: string, content: Uint8Array): Buffer {
    const header = Buffer.alloc(8)
    header.write(name)
    header.writeUInt32LE(content.length, 4)
    return Buffer.concat([header, content])
  }

  const [ODD, EVEN] = [Buffer.alloc(31, "x"), Buffer.alloc(32, "x")]
  const WHOLE = encodeWav(SOUND)

  test.each<[string, Buffer]>([
    ["a chunk", Buffer.concat([WHOLE, chunk("LIST", EVEN)])],
    ["an odd chunk", Buffer.concat([WHOLE, chunk("id3 ", ODD)])],
    ["a tag that is no chunk", Buffer.concat([WHOLE, Buffer.from([1, 2, 3]), EVEN])],
    ["padding", Buffer.concat([WHOLE, PIECE])],
  ])("is only its samples, whatever is behind them: %s", async (_, bytes) => {
    const { samples, warnings } = await decodeWarned(bytes)
    expect([samples.length, warnings]).toEqual([SOUND.length, []])
  })

  test.each<[string, Buffer[]]>([
    ["padded to an even offset", [chunk("LIST", ODD), Buffer.alloc(1)]],
    ["not padded, as some programs do", [chunk("LIST", ODD)]],
  ])("has its samples behind an odd chunk, %s", async (_, before) => {
    const bytes = Buffer.concat([WHOLE.subarray(0, 36), ...before, WHOLE.subarray(36)])
    const { samples, warnings } = await decodeWarned(bytes)
    expect([samples.length, warnings]).toEqual([SOUND.length, []])
  })

  test("of more than 4 GiB has its length in another chunk", async () => {
    const sizes = Buffer.alloc(28)
    sizes.writeBigUInt64LE(BigInt(REST), 8)
    const data = encodeWav(SOUND, { dataSize: 0xffffffff }).subarray(12)
    const bytes = Buffer.concat([
      Buffer.from("RF64\xff\xff\xff\xffWAVE", "latin1"),
      chunk("ds64", sizes),
      data,
    ])
    const { samples, warnings } = await decodeWarned(Buffer.concat([bytes, chunk("LIST", EVEN)]))
    expect([samples.length, warnings]).toEqual([SOUND.length, []])
  })

  test.each([
    [20, "24-bit"],
    [12, "16-bit"],
    [24, "32-bit"],
  ] as const)("with %i bits in more bytes than they need", async (bits, format) => {
    const bytes = encodeWav(SOUND, { format })
    bytes.writeUInt16LE(bits, 34)
    const samples = await decode(bytes)
    expect(samples.length).toBe(SOUND.length)
    expect(likeness(SOUND, samples)).toBeGreaterThan(0.999)
  })

  test.each(["24-bit", "float"] as const)("in the extensible form, of %s samples", async (format) => {
    const plain = encodeWav(SOUND, { format, channels: 2 })
    const description = Buffer.alloc(40)
    plain.copy(description, 0, 20, 36)
    description.writeUInt16LE(0xfffe, 0)
    description.writeUInt16LE(22, 16)
    description.writeUInt16LE(plain.readUInt16LE(34), 18)
    description.writeUInt16LE(plain.readUInt16LE(20), 24)
    description.write("\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 28, "latin1")
    const bytes = Buffer.concat([plain.subarray(0, 12), chunk("fmt ", description), plain.subarray(36)])
    const { samples, warnings } = await decodeWarned(bytes)
    expect([samples.length, warnings]).toEqual([SOUND.length, []])
    expect(likeness(SOUND, samples)).toBeGreaterThan(0.999)
  })

  test("with samples that are no numbers, or too loud, is heard all the same", async () => {
    const odd = Float32Array.from(SOUND)
    odd.set([NaN, Infinity, -Infinity, 1e30], 100)
    const samples = await decode(encodeWav(odd, { format: "float" }))
    expect([...samples.slice(100, 104)]).toEqual([0, 1, -1, 1])
  })
})

describe("what the encoders make", () => {
  // Pure tones are hard for Opus, which is made for voices.
  test.each<[AudioFormat, number, number]>([
    ["flac", 0, 0.999],
    ["mp3", 2500, 0.95],
    ["opus", 0, 0.8],
  ])("as %s is heard as it was", async (format, delay, least) => {
    const samples = await decode(await encode(format))
    expect(samples.length).toBeGreaterThanOrEqual(SOUND.length)
    expect(samples.length).toBeLessThan(SOUND.length + 4000)
    expect(bestLikeness(SOUND, samples, delay)).toBeGreaterThan(least)
  })
})

describe.skipIf(!hasFfmpeg())("what ffmpeg makes", () => {
  test.each([
    ["Ogg Vorbis", ["-c:a", "libvorbis", "-f", "ogg"]],
    ["Ogg FLAC", ["-c:a", "flac", "-f", "ogg"]],
    ["WebM Opus", ["-c:a", "libopus", "-f", "webm"]],
    ["WebM Opus without known sizes", ["-c:a", "libopus", "-f", "webm", "-live", "1"]],
    ["WebM Vorbis", ["-c:a", "libvorbis", "-f", "webm"]],
    ["Matroska with PCM", ["-c:a", "pcm_s16le", "-f", "matroska"]],
    ["stereo MP3", ["-ac", "2", "-f", "mp3"]],
    ["MP2", ["-f", "mp2"]],
    ["M4A", ["-c:a", "aac", "-f", "ipod"]],
    ["fragmented MP4", ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4"]],
    ["ADTS", ["-c:a", "aac", "-f", "adts"]],
    ["AIFF", ["-f", "aiff"]],
    ["A-law", ["-c:a", "pcm_alaw", "-f", "wav"]],
    ["µ-law", ["-c:a", "pcm_mulaw", "-f", "wav"]],
    ["AC3", ["-f", "ac3"]],
    ["E-AC3", ["-f", "eac3"]],
    ["WavPack", ["-f", "wv"]],
    ["True Audio", ["-f", "tta"]],
    ["Sun's AU", ["-f", "au"]],
    ["Wave64", ["-f", "w64"]],
    ["AVI", ["-c:a", "ac3", "-f", "avi"]],
    ["MPEG-TS", ["-c:a", "mp2", "-f", "mpegts"]],
    ["FLV", ["-c:a", "aac", "-f", "flv"]],
    ["Matroska with AC3", ["-c:a", "ac3", "-f", "matroska"]],
    ["ADPCM", ["-c:a", "adpcm_ima_wav", "-f", "wav"]],
  ])("as %s is heard as it was", async (_, output) => {
    const samples = await decode(await ffmpeg(...output))
    expect(samples.length).toBeGreaterThan(SOUND.length - 100)
    expect(samples.length).toBeLessThan(SOUND.length + 4000)
    expect(bestLikeness(SOUND, samples, 2500)).toBeGreaterThan(0.95)
  })

  test.each([
    ["Ogg Vorbis", ["-c:a", "libvorbis", "-f", "ogg"]],
    ["FLAC", ["-f", "flac"]],
    ["MP3", ["-b:a", "128k", "-f", "mp3"]],
    ["WebM Opus", ["-c:a", "libopus", "-f", "webm"]],
    ["M4A", ["-c:a", "aac", "-f", "ipod"]],
  ])("as %s and is cut short is refused", async (_, output) => {
    const bytes = await ffmpeg(...output)
    const failure = decode(bytes.subarray(0, bytes.length / 2))
    expect(failure).rejects.toThrow(/cut short/)
    expect(failure).rejects.toMatchObject({ status: 400, param: "file" })
  })
})

describe("a file that is no whole recording", () => {
  test.each<[string, Uint8Array, RegExp]>([
    ["is empty", new Uint8Array(), /it is empty/],
    ["is text", Buffer.from("these are no sounds"), /none of wav, mp3/],
    ["is a playlist", Buffer.from("#EXTM3U\nfile:///etc/passwd\n"), /none of wav, mp3/],
    ["has only a header", encodeWav(new Float32Array()), /no audio/],
    ["says a rate of 0", encodeWav(SOUND, { sampleRate: 0 }), /a sample rate of 0 Hz/],
    ["says a rate beyond any", encodeWav(SOUND, { sampleRate: 4e9 }), /a sample rate of 4000000000 Hz/],
    ["has no channels", encodeWav(SOUND, { channels: 1 }).fill(0, 22, 24), /says 0 channels/],
    ["has samples of 99 bits", Buffer.from(encodeWav(SOUND)).fill(99, 34, 35), /99 bits of the format 1/],
    ["ends in its WAV header", encodeWav(SOUND).subarray(0, 30), /'fmt ' chunk is too short/],
    ["ends in its FLAC header", FLAC.subarray(0, 20), /FLAC header is incomplete/],
    ["lacks half of its Ogg", OPUS.subarray(0, 3000), /cut short/],
    ["has something else behind an Ogg page", Buffer.concat([OPUS, Buffer.from("x")]), /next Ogg page/],
  ])("because it %s is refused by its field", async (_, bytes, message) => {
    const failure = decode(bytes)
    expect(failure).rejects.toThrow(message)
    expect(failure).rejects.toMatchObject({ code: "invalid_request_error", status: 400, param: "file" })
  })

  test("is refused once it is longer than the limit", () => {
    expect(decode(encodeWav(SOUND), 1)).rejects.toThrow(/longer than the limit of 1 seconds/)
  })

  test("is refused or heard, whatever its bytes are", async () => {
    const random = mulberry(7)
    const originals = [
      encodeWav(SOUND),
      ...(await Promise.all((["flac", "mp3", "opus"] as const).map(encode))),
    ]
    for (const original of originals)
      for (let i = 0; i < 25; i++) {
        const bytes = Buffer.from(original)
        for (let k = 0; k < 8; k++)
          bytes[Math.floor(random() ** 3 * bytes.length)] = Math.floor(random() * 256)
        const outcome = await decode(bytes).then(
          (samples) => samples.length,
          (error: unknown) => error,
        )
        if (typeof outcome !== "number") expect(outcome).toMatchObject({ status: 400, param: "file" })
      }
  })
})
