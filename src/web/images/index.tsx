import { useEffect } from "preact/hooks"
import { loadModels, models } from "../api/models"
import { hrefOf } from "../lib/route"
import { commonTexts } from "../texts/common"
import { imagesTexts } from "../texts/images"
import { Page } from "../ui/page"
import { toastError } from "../ui/toasts"
import { Gallery } from "./gallery"
import { WishForm } from "./wish-form"

/** Pictures from a prompt, or from another picture. */
export function ImagesView() {
  const texts = imagesTexts.value
  useEffect(() => void loadModels().catch(toastError), [])
  const imageModels = models.value?.filter(({ kind }) => kind === "image")
  return (
    <Page title={texts.title}>
      {imageModels === undefined && <p class="empty">{commonTexts.value.loading}</p>}
      {imageModels?.length === 0 && (
        <div class="empty">
          <p>{texts.noModel}</p>
          <a class="button plain" href={hrefOf("models")}>
            <span>{texts.toModels}</span>
          </a>
        </div>
      )}
      {imageModels !== undefined && imageModels.length > 0 && (
        <div class="studio">
          <WishForm models={imageModels} />
          <Gallery />
        </div>
      )}
    </Page>
  )
}
