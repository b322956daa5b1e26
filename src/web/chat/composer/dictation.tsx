import { useEffect, useRef, useState } from "preact/hooks"
import { voiceTexts } from "../../texts/voice"
import { IconButton } from "../../ui/button"
import { toast, toastError } from "../../ui/toasts"
import { MicrophoneRecording, recordingProblem, transcribed } from "../../voice/recorder"
import { recognizerInUse } from "../../voice/voices"

/** A button that records, and gives what was said. Not there without a speech-to-text model. */
export function Dictation({ onText }: { readonly onText: (text: string) => void }) {
  const texts = voiceTexts.value
  const recording = useRef<MicrophoneRecording>(undefined)
  const [state, setState] = useState<"idle" | "recording" | "transcribing">("idle")
  useEffect(() => () => void recording.current?.stop(), [])
  const model = recognizerInUse.value
  if (model === undefined) return null
  const problem = recordingProblem()
  const begin = async () => {
    try {
      recording.current = await MicrophoneRecording.start()
      setState("recording")
    } catch {
      toast(texts.refused, { look: "error" })
    }
  }
  const end = async () => {
    setState("transcribing")
    try {
      const sound = await recording.current?.stop()
      recording.current = undefined
      const text = sound === undefined ? "" : await transcribed(sound, model.name)
      if (text === "") toast(texts.nothingHeard)
      else onText(text)
    } catch (error) {
      toastError(error)
    }
    setState("idle")
  }
  const label =
    problem !== undefined
      ? texts[problem]
      : state === "recording"
        ? texts.stopDictating
        : state === "transcribing"
          ? texts.transcribing
          : texts.dictate
  return (
    <IconButton
      icon={state === "recording" ? "stop" : "microphone"}
      look={state === "recording" ? "danger" : "quiet"}
      label={label}
      aria-pressed={state === "recording"}
      disabled={problem !== undefined || state === "transcribing"}
      onClick={() => void (state === "recording" ? end() : begin())}
    />
  )
}
