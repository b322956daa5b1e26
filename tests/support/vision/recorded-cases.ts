import { join } from "node:path"
import { plainPicture, tiledPicture } from "./pictures"
import { sweepSound } from "./sounds"
import type { VisionFamily } from "./tiny-vision"

/** What llama-server answered; `scripts/record-vision.ts` writes it. */
export const RECORDINGS_PATH = join(import.meta.dir, "recordings.json")

/** A token's id, text and log probability. */
export type RecordedToken = readonly [id: number, text: string, logprob: number]

export interface Recording {
  /** All cells, pictures included. */
  readonly promptTokens: number
  /** Greedy. */
  readonly text: string
  readonly tokens: readonly RecordedToken[]
  /** The likeliest tokens after the prompt, the likeliest first. */
  readonly top: readonly RecordedToken[]
}

/** Media by which it can be made again. */
export type TestMedia =
  | { readonly type: "tiles"; readonly width: number; readonly height: number; readonly seed: number }
  | { readonly type: "plain"; readonly colour: readonly [number, number, number] }
  | { readonly type: "sound"; readonly seconds: number }

export interface RecordedCase {
  readonly family: VisionFamily | "eye"
  readonly name: string
  /** With `<media>` in place of each of the media. */
  readonly prompt: string
  readonly media: readonly TestMedia[]
}

/** A picture as a Windows bitmap, a sound as a WAV file. */
export function mediaBytes(media: TestMedia): Uint8Array {
  switch (media.type) {
    case "tiles":
      return tiledPicture(media.width, media.height, media.seed)
    case "plain":
      return plainPicture(100, 80, media.colour)
    case "sound":
      return sweepSound(media.seconds)
  }
}

const WIDE = { type: "tiles", width: 96, height: 64, seed: 1 } as const
const OTHER = { type: "tiles", width: 96, height: 64, seed: 2 } as const
const TALL = { type: "tiles", width: 56, height: 200, seed: 3 } as const
const LARGE = { type: "tiles", width: 640, height: 480, seed: 4 } as const
const DOT = { type: "tiles", width: 1, height: 1, seed: 5 } as const

const FAMILIES = ["gemma3", "qwen2vl", "qwen3vl", "idefics3"] as const

export const RECORDED_CASES: readonly RecordedCase[] = [
  ...FAMILIES.flatMap((family): RecordedCase[] => [
    { family, name: "one picture", prompt: "the cat <media> and the dog", media: [WIDE] },
    { family, name: "another picture", prompt: "the cat <media> and the dog", media: [OTHER] },
    { family, name: "two pictures", prompt: "the cat <media> and <media> the end", media: [WIDE, TALL] },
    { family, name: "only pictures", prompt: "<media><media>", media: [TALL, WIDE] },
    { family, name: "a large picture", prompt: "what is this? <media> It is", media: [LARGE] },
    { family, name: "a picture of one pixel", prompt: "what is this? <media>", media: [DOT] },
  ]),
  {
    family: "ultravox",
    name: "a sound",
    prompt: "say <media> now",
    media: [{ type: "sound", seconds: 2 }],
  },
  {
    family: "eye",
    name: "a red picture",
    prompt: "<|im_start|>user\nWhich colour is this? It is<media><|im_end|>\n<|im_start|>assistant\nIt is",
    media: [{ type: "plain", colour: [255, 0, 0] }],
  },
]
