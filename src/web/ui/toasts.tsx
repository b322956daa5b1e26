import { signal } from "@preact/signals"
import { shellTexts } from "../texts/shell"
import { IconButton } from "./button"

interface Toast {
  readonly id: number
  readonly text: string
  readonly look: "info" | "error"
  readonly action?: { readonly label: string; run(): void }
}

const SHOWN_MS = { info: 4000, error: 12_000 } as const

const MOST = 4

const toasts = signal<readonly Toast[]>([])
let last = 0

/** Tells the user about something that is over. An error stays longer; an action is offered as a button. */
export function toast(text: string, options: Partial<Pick<Toast, "look" | "action">> = {}): void {
  const id = ++last
  const look = options.look ?? "info"
  toasts.value = [...toasts.value, { id, text, look, ...options }].slice(-MOST)
  setTimeout(() => dismiss(id), SHOWN_MS[look] + (options.action ? 4000 : 0))
}

export function toastError(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return
  toast(error instanceof Error ? error.message : String(error), { look: "error" })
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((each) => each.id !== id)
}

/** The place where toasts are shown. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-label={shellTexts.value.notifications}>
      {toasts.value.map(({ id, text, look, action }) => (
        <div key={id} class={`toast ${look}`}>
          <p>{text}</p>
          {action && (
            <button
              type="button"
              class="button quiet"
              onClick={() => {
                dismiss(id)
                action.run()
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton icon="close" label={shellTexts.value.dismiss} onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  )
}
