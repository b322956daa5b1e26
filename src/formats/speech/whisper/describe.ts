import type { AsrModel, AsrPlan, LanguageChoice } from "../asr-model"
import { findLicense } from "../license"
import type { SpeechFolder } from "../speech-folder"

/** The engine reads no more than 29.5 s. */
const TIMED_WINDOW_SECONDS = 28
/** Without times a window is a segment: not too long a one. */
const UNTIMED_WINDOW_SECONDS = 16
/** After so many the engine stops, whatever follows. */
const TOKENS_PER_SECOND = 6

const LANGUAGE: LanguageChoice = { how: "each-request", field: "language", taskField: "task" }

/** What all Whispers have in common, wherever their weights are. */
export async function describeWhisper(
  folder: SpeechFolder,
  languages: readonly string[],
  isForManyLanguages: boolean,
  plan: Pick<AsrPlan, "files" | "tokens" | "linked" | "timed">,
): Promise<AsrModel> {
  return {
    kind: "asr",
    description: {
      kind: "asr",
      family: "whisper",
      languages,
      canTranslate: isForManyLanguages,
      capabilities: ["transcription"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan: {
      ...plan,
      family: "whisper",
      options: { task: "transcribe", enableTokenTimestamps: plan.timed ? 1 : 0 },
      language: isForManyLanguages ? LANGUAGE : { how: "none" },
      windowSeconds: plan.timed ? TIMED_WINDOW_SECONDS : UNTIMED_WINDOW_SECONDS,
      tokensPerSecond: TOKENS_PER_SECOND,
    },
  }
}
