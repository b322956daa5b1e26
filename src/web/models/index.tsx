import { modelsTexts } from "../texts/models"
import { Page } from "../ui/page"

export function ModelsView() {
  return <Page title={modelsTexts.value.title}>{null}</Page>
}
