import { Elysia } from "elysia"
import type { TtsDetails } from "../../../domain/model"
import type { Engine } from "../../../engine/contract"
import { WrongModelKind } from "../../../errors/model"
import { languageOfSpeaker } from "../../../formats/speech/speaker-language"
import type { OpenAiContext } from "../reply"
import { speakerIds } from "./speakers"

/** GET /v1/audio/voices: the speakers of all text-to-speech models, or of the one in `?model=`. */
export function voiceRoutes({ engine }: OpenAiContext) {
  return new Elysia({ name: "openai-voices" }).get("/v1/audio/voices", async ({ request }) => {
    const requested = new URL(request.url).searchParams.get("model")
    const models = requested === null ? await allVoices(engine) : [await oneVoice(engine, requested)]
    return { object: "list", voices: models.flatMap(toVoices) }
  })
}

async function oneVoice(engine: Engine, requested: string): Promise<TtsDetails> {
  const model = await engine.show(requested)
  if (model.kind !== "tts") throw new WrongModelKind(model.name, model.kind)
  return model
}

async function allVoices(engine: Engine): Promise<readonly TtsDetails[]> {
  const models = (await engine.list()).filter(({ kind }) => kind === "tts")
  // One whose files were just removed has no voices.
  const details = await Promise.all(models.map(({ name }) => engine.show(name).catch(() => undefined)))
  return details.filter((model): model is TtsDetails => model?.kind === "tts")
}

/** `id` is what a request's `voice` takes. */
function toVoices(model: TtsDetails) {
  const [only, second] = model.languages
  return speakerIds(model).map((id) => ({
    id,
    name: model.speakers.length === 1 ? model.name : id,
    model: model.name,
    language:
      (model.family === "kokoro" ? languageOfSpeaker(id) : undefined) ??
      (second === undefined ? (only ?? null) : null),
  }))
}
