/** The events of a pull. Wording and order are Ollama's: its clients know them. */
export type PullEvent =
  /** `pulling manifest`, `verifying sha256 digest`, `writing manifest`, `success`, … */
  | { readonly type: "status"; readonly status: string }
  /** A decision or an unusual outcome; a sentence. */
  | { readonly type: "note"; readonly text: string }
  /** Progress of a file. */
  | {
      readonly type: "progress"
      /** Such as `pulling 74701a8c35f6`. */
      readonly status: string
      /** Identifies the file in this pull. */
      readonly id: string
      /** The number of files in this pull. */
      readonly files: number
      readonly digest: string | undefined
      /** Undefined while unknown. */
      readonly total: number | undefined
      readonly completed: number
    }
