import type { AsrModel, AsrPlan, LanguageChoice } from "../asr-model"
import { findLicense } from "../license"
import type { SpeechFolder } from "../speech-folder"

/** The engine reads at most 29.5 s. */
const TIMED_WINDOW_SECONDS = 28
/** Without times, each window becomes a segment and must be short. */
const UNTIMED_WINDOW_SECONDS = 16
/** The engine stops after this many tokens per second. */
const TOKENS_PER_SECOND = 6

/** Hundredths of a second that the engine adds to a window; its default, 10 s, costs as much as speech. */
const TAIL_FRAMES = 500

const LANGUAGE: LanguageChoice = { how: "each-request", field: "language", taskField: "task" }

/** The properties common to all Whispers, wherever their weights are. */
export async function describeWhisper(
  folder: SpeechFolder,
  languages: readonly string[],
  isForManyLanguages: boolean,
  plan: Pick<AsrPlan, "files" | "int8" | "tokens" | "linked" | "timed">,
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
      options: {
        task: "transcribe",
        enableTokenTimestamps: plan.timed ? 1 : 0,
        tailPaddings: TAIL_FRAMES,
      },
      language: isForManyLanguages ? LANGUAGE : { how: "none" },
      windowSeconds: plan.timed ? TIMED_WINDOW_SECONDS : UNTIMED_WINDOW_SECONDS,
      tokensPerSecond: TOKENS_PER_SECOND,
    },
  }
}
