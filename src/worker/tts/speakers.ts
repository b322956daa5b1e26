import { InvalidRequest } from "../../errors/request"

/** OpenAI's voice names, which its clients send. */
const OPENAI_VOICES = new Set(
  "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split(" "),
)

/** Error messages list at most this many speakers. */
const MOST_NAMED = 60

/**
 * The number of the requested speaker, given by name or number. OpenAI's names select the speaker with that
 * name after a prefix (such as Kokoro's `af_alloy`), otherwise the first speaker.
 * @throws InvalidRequest (`voice`) that lists the speakers
 */
export function chooseSpeaker(speakers: readonly (string | undefined)[], voice: string | undefined): number {
  if (voice === undefined) return 0
  const wanted = voice.trim().toLowerCase()
  const byName = speakers.findIndex((name) => name?.toLowerCase() === wanted)
  if (byName !== -1) return byName
  if (/^\d{1,9}$/.test(wanted) && Number(wanted) < speakers.length) return Number(wanted)
  if (OPENAI_VOICES.has(wanted))
    return Math.max(
      0,
      speakers.findIndex((name) => name?.toLowerCase().endsWith(`_${wanted}`)),
    )
  throw new InvalidRequest(
    `the voice '${voice}' does not exist; this model has ${describe(speakers)}`,
    "voice",
  )
}

function describe(speakers: readonly (string | undefined)[]): string {
  if (speakers.length === 1) return `one voice, ${speakers[0] ?? "0"}`
  const numbers = `voices from 0 to ${speakers.length - 1}`
  const names = speakers.filter((name) => name !== undefined)
  if (names.length === 0) return numbers
  const more = names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} more` : ""
  return `${numbers}: ${names.slice(0, MOST_NAMED).join(", ")}${more}`
}
