import { useEffect } from "preact/hooks"
import { loadModels } from "../api/models"
import { voiceTexts } from "../texts/voice"
import { Labelled, Switch } from "../ui/field"
import { toastError } from "../ui/toasts"
import {
  chosenRecognizer,
  chosenVoice,
  loadVoices,
  readsAnswers,
  recognizerInUse,
  recognizers,
  voiceInUse,
  voiceKey,
  voices,
} from "../voice/voices"

/** Which voice reads, and which model listens. */
export function VoiceSettings() {
  const texts = voiceTexts.value
  useEffect(() => {
    Promise.all([loadModels(), loadVoices()]).catch(toastError)
  }, [])
  const voice = voiceInUse.value
  const recognizer = recognizerInUse.value
  return (
    <section class="card">
      <h2>{texts.title}</h2>
      {voice === undefined ? (
        <p class="note">{texts.noVoice}</p>
      ) : (
        <>
          <Labelled label={texts.voice}>
            {(ids) => (
              <select
                {...ids}
                value={voiceKey(voice)}
                onChange={({ currentTarget }) => (chosenVoice.value = currentTarget.value)}
              >
                {voices.value.map((each) => (
                  <option key={voiceKey(each)} value={voiceKey(each)}>
                    {each.name === each.model ? each.name : `${each.name} (${each.model})`}
                  </option>
                ))}
              </select>
            )}
          </Labelled>
          <Switch
            label={texts.readAnswers}
            checked={readsAnswers.value}
            onChange={(value) => (readsAnswers.value = value)}
          />
        </>
      )}
      {recognizer === undefined ? (
        <p class="note">{texts.noRecognizer}</p>
      ) : (
        <Labelled label={texts.recognizer}>
          {(ids) => (
            <select
              {...ids}
              value={recognizer.name}
              onChange={({ currentTarget }) => (chosenRecognizer.value = currentTarget.value)}
            >
              {recognizers.value.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Labelled>
      )}
    </section>
  )
}
