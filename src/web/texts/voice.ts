import { textsOf } from "./language"

export const voiceTexts = textsOf({
  en: {
    title: "Voice",
    dictate: "Dictate",
    stopDictating: "Stop and transcribe",
    transcribing: "Transcribing…",
    insecure: "The browser gives a microphone only to pages from this machine or by HTTPS",
    unsupported: "This browser cannot record",
    refused: "The browser does not allow the microphone",
    nothingHeard: "Nothing was understood",
    voice: "Voice",
    noVoice: "No text-to-speech model is installed.",
    recognizer: "Speech-to-text model",
    noRecognizer: "No speech-to-text model is installed.",
    readAnswers: "Read answers aloud as they come",
  },
  ja: {
    title: "音声",
    dictate: "音声入力",
    stopDictating: "停止して文字に起こす",
    transcribing: "文字に起こしています…",
    insecure: "マイクは、このマシンまたは HTTPS で開いたページでのみ使えます",
    unsupported: "このブラウザーは録音できません",
    refused: "ブラウザーがマイクを許可していません",
    nothingHeard: "聞き取れませんでした",
    voice: "声",
    noVoice: "音声合成モデルがありません。",
    recognizer: "音声認識モデル",
    noRecognizer: "音声認識モデルがありません。",
    readAnswers: "回答を生成と同時に読み上げる",
  },
})
