import type { ComponentChildren } from "preact"
import { useEffect, useId, useRef } from "preact/hooks"
import { signal } from "@preact/signals"
import { commonTexts } from "../texts/common"
import { Button, IconButton } from "./button"

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly size?: "small" | "large"
  readonly children: ComponentChildren
}

/** A modal dialog while it is rendered. The browser keeps the focus inside, and closes it with Escape. */
export function Dialog({ title, onClose, size = "small", children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const before = document.activeElement
    ref.current?.showModal()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      class={`dialog ${size}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onPointerDown={(event) => {
        if (event.target === ref.current) onClose()
      }}
    >
      <div class="dialog-body">
        <header>
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label={commonTexts.value.close} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  )
}

interface Question {
  readonly title: string
  readonly text: string
  readonly action: string
  answer(isYes: boolean): void
}

const question = signal<Question | undefined>(undefined)

/** Asks before something is lost. `action`: the button's text, a verb. */
export function confirm(ask: { readonly title: string; readonly text: string; readonly action: string }) {
  return new Promise<boolean>((resolve) => {
    question.value?.answer(false)
    question.value = {
      ...ask,
      answer(isYes) {
        question.value = undefined
        resolve(isYes)
      },
    }
  })
}

/** The place where {@link confirm} asks. */
export function Questions() {
  const open = question.value
  if (open === undefined) return null
  return (
    <Dialog title={open.title} onClose={() => open.answer(false)}>
      <p>{open.text}</p>
      <footer>
        <Button onClick={() => open.answer(false)}>{commonTexts.value.cancel}</Button>
        <Button look="danger" onClick={() => open.answer(true)}>
          {open.action}
        </Button>
      </footer>
    </Dialog>
  )
}
