import { serverTexts } from "../texts/server"
import { Page } from "../ui/page"

export function ServerView() {
  return <Page title={serverTexts.value.title}>{null}</Page>
}
