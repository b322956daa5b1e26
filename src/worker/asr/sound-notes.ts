/**
 * Notes on sounds in place of words: `[Music]`, `(phone ringing)`, `*sighs*`, `♪`. Whisper learned them from subtitles,
 * and OpenAI's own decoder never writes them.
 */
const NOTES = /^(?:\s*(?:\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|[♪♫]))+[.!?]?\s*$/u

/** Does the text have notes on sounds and nothing else? */
export function hasOnlySoundNotes(text: string): boolean {
  return NOTES.test(text)
}
