import type { PictureDetail } from "../../domain/chat"

/** What the process is asked for: one JSON object per line. */
export type PictureJob =
  | {
      readonly do: "measure-picture" | "read-picture"
      readonly path: string
      readonly detail?: PictureDetail
    }
  | { readonly do: "measure-sound" | "read-sound"; readonly path: string; readonly rate: number }

/** Its answer: one JSON object per line, and so many bytes behind it. */
export type PictureAnswer =
  | {
      readonly width: number
      readonly height: number
      readonly samples: number
      /** In hexadecimal digits. */
      readonly digest: string
      readonly bytes: number
    }
  /** Why it cannot be done; continues a sentence. */
  | { readonly failure: string; readonly bytes: 0 }

export type MeasuredFile = Omit<Extract<PictureAnswer, { digest: string }>, "bytes">
