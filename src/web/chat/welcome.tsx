import { ApiError } from "../api/api-error"
import { loadModels } from "../api/models"
import { hrefOf } from "../lib/route"
import { chatTexts } from "../texts/chat"
import { commonTexts } from "../texts/common"
import { Button } from "../ui/button"
import { Icon } from "../ui/icons"
import { toastError } from "../ui/toasts"

interface WelcomeProps {
  readonly hasModels: boolean
  readonly problem: unknown
}

/** In place of a conversation that has not begun. */
export function Welcome({ hasModels, problem }: WelcomeProps) {
  const texts = chatTexts.value
  if (problem !== undefined) {
    return (
      <div class="empty welcome">
        <h1>{texts.modelsFailed}</h1>
        <p>{problem instanceof ApiError ? problem.message : String(problem)}</p>
        <Button icon="again" onClick={() => void loadModels().catch(toastError)}>
          {commonTexts.value.retry}
        </Button>
      </div>
    )
  }
  if (!hasModels) {
    return (
      <div class="empty welcome">
        <h1>{texts.noModels}</h1>
        <p>{texts.noModelsLong}</p>
        <a class="button primary" href={hrefOf("models")}>
          <Icon name="download" />
          <span>{texts.getModel}</span>
        </a>
      </div>
    )
  }
  return (
    <div class="empty welcome">
      <h1>{texts.greeting}</h1>
      <p>{texts.greetingNote}</p>
    </div>
  )
}
