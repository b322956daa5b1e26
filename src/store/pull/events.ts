/** What a pull tells. Words and order are Ollama's: its clients know them. */
export type PullEvent =
  /** `pulling manifest`, `verifying sha256 digest`, `writing manifest`, `success`, … */
  | { readonly type: "status"; readonly status: string }
  /** Something that was decided or went other than usual; a sentence. */
  | { readonly type: "note"; readonly text: string }
  /** How far a file is. */
  | {
      readonly type: "progress"
      /** As `pulling 74701a8c35f6`. */
      readonly status: string
      /** Names the file in this pull. */
      readonly id: string
      /** How many files this pull has. */
      readonly files: number
      readonly digest: string | undefined
      /** Absent: nobody knows yet. */
      readonly total: number | undefined
      readonly completed: number
    }
