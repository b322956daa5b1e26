import { shellTexts } from "../texts/shell"
import { Page } from "../ui/page"

export function ChatView() {
  return <Page title={shellTexts.value.chat}>{null}</Page>
}
