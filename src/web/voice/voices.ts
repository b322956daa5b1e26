import { computed, signal } from "@preact/signals"
import { getJson } from "../api/client"
import { models } from "../api/models"
import { stored } from "../lib/stored"
import { language } from "../texts/language"

/** A speaker of an installed text-to-speech model. */
interface Voice {
  /** For requests. */
  readonly id: string
  readonly name: string
  readonly model: string
  readonly language: string | null
}

export const voices = signal<readonly Voice[]>([])

const isText = (value: unknown) => typeof value === "string"

/** The user's choice, see {@link voiceKey}; empty: none. */
export const chosenVoice = stored("voice", "", isText)

/** The user's choice of a speech-to-text model; empty: none. */
export const chosenRecognizer = stored("recognizer", "", isText)

/** Whether answers are read aloud as they come. */
export const readsAnswers = stored("read-answers", false, (value) => typeof value === "boolean")

export function voiceKey({ model, id }: Pick<Voice, "model" | "id">): string {
  return `${model}\n${id}`
}

/** The voice in use: the chosen one, one of the page's language, or any; undefined: none is installed. */
export const voiceInUse = computed(
  () =>
    voices.value.find((voice) => voiceKey(voice) === chosenVoice.value) ??
    voices.value.find((voice) => voice.language?.startsWith(language.value)) ??
    voices.value[0],
)

export const recognizers = computed(() => (models.value ?? []).filter(({ kind }) => kind === "asr"))

export const recognizerInUse = computed(
  () => recognizers.value.find(({ name }) => name === chosenRecognizer.value) ?? recognizers.value[0],
)

/** @throws ApiError */
export async function loadVoices(): Promise<void> {
  const { voices: list } = await getJson<{ readonly voices: readonly Voice[] }>("/v1/audio/voices")
  voices.value = list
}
