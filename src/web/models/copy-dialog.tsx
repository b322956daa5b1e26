import { useState } from "preact/hooks"
import { commonTexts } from "../texts/common"
import { modelsTexts } from "../texts/models"
import { Button } from "../ui/button"
import { Dialog } from "../ui/dialog"
import { Labelled } from "../ui/field"
import { copyModel } from "./actions"

/** Asks for the name of a copy, and makes it. */
export function CopyDialog({ name, onClose }: { readonly name: string; readonly onClose: () => void }) {
  const texts = modelsTexts.value
  const [target, setTarget] = useState("")
  return (
    <Dialog title={texts.copyTitle} onClose={onClose}>
      <form
        onSubmit={async (event) => {
          event.preventDefault()
          if (await copyModel(name, target.trim())) onClose()
        }}
      >
        <Labelled label={texts.copyName} note={name}>
          {(ids) => (
            <input
              {...ids}
              type="text"
              autoComplete="off"
              autoCapitalize="none"
              spellcheck={false}
              autoFocus
              value={target}
              onInput={({ currentTarget }) => setTarget(currentTarget.value)}
            />
          )}
        </Labelled>
        <footer>
          <Button onClick={onClose}>{commonTexts.value.cancel}</Button>
          <Button look="primary" type="submit" disabled={target.trim() === ""}>
            {texts.copyModel}
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}
