import type { LibraryFiles } from "../../../llama/library"
import type { EncodedChunk, MediaContent, SharedMtmd } from "../../../llama/mtmd"
import type { WireError } from "../../../errors/base"

export type ToEncoderThread =
  | {
      readonly type: "setup"
      readonly files: LibraryFiles
      /** The path of libmtmd. */
      readonly mtmd: string
      readonly projector: SharedMtmd
    }
  | { readonly type: "encode"; readonly content: MediaContent; readonly threads: number }

export type FromEncoderThread =
  /** `chunks`: absent if the library refused the content. */
  | { readonly type: "encoded"; readonly chunks?: readonly EncodedChunk[] }
  | { readonly type: "failed"; readonly error: WireError }
