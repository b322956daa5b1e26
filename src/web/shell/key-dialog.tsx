import { useState } from "preact/hooks"
import { keyQuestion } from "../api/key"
import { commonTexts } from "../texts/common"
import { shellTexts } from "../texts/shell"
import { Button } from "../ui/button"
import { Dialog } from "../ui/dialog"
import { Labelled } from "../ui/field"

/** Asks for the API key while a request waits for one. */
export function KeyDialog() {
  const question = keyQuestion.value
  const [key, setKey] = useState("")
  if (question === undefined) return null
  const texts = shellTexts.value
  const refuse = () => question.answer(undefined)
  return (
    <Dialog title={texts.keyTitle} onClose={refuse}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          setKey("")
          if (key.trim() !== "") question.answer(key.trim())
        }}
      >
        <p>{texts.keyWhy}</p>
        <Labelled label={texts.keyLabel} error={question.isRefused ? texts.keyWrong : undefined}>
          {(ids) => (
            <input
              {...ids}
              type="password"
              autoComplete="off"
              spellcheck={false}
              autoFocus
              value={key}
              onInput={({ currentTarget }) => setKey(currentTarget.value)}
            />
          )}
        </Labelled>
        <footer>
          <Button onClick={refuse}>{commonTexts.value.cancel}</Button>
          <Button look="primary" type="submit" disabled={key.trim() === ""}>
            {texts.keyUse}
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}
