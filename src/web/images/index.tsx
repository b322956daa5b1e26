import { imagesTexts } from "../texts/images"
import { Page } from "../ui/page"

export function ImagesView() {
  return <Page title={imagesTexts.value.title}>{null}</Page>
}
