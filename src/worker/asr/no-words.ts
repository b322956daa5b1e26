/**
 * Notes on sounds in place of words: `[Music]`, `(phone ringing)`, `*sighs*`. Whisper learned them from subtitles, and
 * OpenAI's own decoder never writes them.
 */
const NOTES = /^(?:\s*(?:\[[^\]]*\]|\([^)]*\)|\*[^*]*\*))+[.!?]?\s*$/u
/** What words are made of; a text may also be punctuation or notes of music alone. */
const PART_OF_WORD = /[\p{L}\p{N}]/u

/** Does the text contain no spoken words? */
export function hasNoWords(text: string): boolean {
  return !PART_OF_WORD.test(text) || NOTES.test(text)
}
