import { request } from "../api/client"
import { imagesTexts } from "../texts/images"
import { Button, IconButton } from "../ui/button"
import { Meter } from "../ui/meter"
import { toastError } from "../ui/toasts"
import { forgetPicture, pictures, type Picture, progress, shownId, source, wish } from "./drawing"

/** The picture that is being drawn, or was, and the earlier ones. */
export function Gallery() {
  const texts = imagesTexts.value
  const all = pictures.value
  const shown = all.find(({ id }) => id === shownId.value) ?? all[0]
  return (
    <div class="gallery">
      <Drawing />
      {shown === undefined ? (
        progress.value === undefined && <p class="empty">{texts.empty}</p>
      ) : (
        <Shown picture={shown} />
      )}
      {all.length > 1 && (
        <section class="section">
          <h2>{texts.history}</h2>
          <ul class="thumbs">
            {all.map((picture) => (
              <li key={picture.id}>
                <button
                  type="button"
                  aria-label={picture.wish.prompt}
                  aria-pressed={picture.id === shown?.id}
                  onClick={() => (shownId.value = picture.id)}
                >
                  <img src={picture.path} alt="" loading="lazy" onError={() => forgetPicture(picture.id)} />
                </button>
              </li>
            ))}
          </ul>
          <p class="note">{texts.historyNote}</p>
        </section>
      )}
    </div>
  )
}

function Drawing() {
  const texts = imagesTexts.value
  const now = progress.value
  if (now === undefined) return null
  const isWaiting = now === "waiting"
  // What follows the last step takes long too, and is not reported.
  const isLast = !isWaiting && now.step >= now.steps
  const words = isWaiting ? texts.waiting : isLast ? texts.finishing : texts.step(now.step, now.steps)
  return (
    <div class="drawing" role="status">
      <p>
        {words}
        {!isWaiting && now.count > 1 && <span>{texts.picture(now.image + 1, now.count)}</span>}
      </p>
      <Meter label={words} share={isWaiting || isLast ? undefined : now.step / now.steps} />
    </div>
  )
}

function Shown({ picture }: { readonly picture: Picture }) {
  const texts = imagesTexts.value
  const { id, path, seed } = picture
  const edit = () => blobOf(picture).then((blob) => (source.value = blob), toastError)
  return (
    <figure class="shown">
      <img src={path} alt={picture.wish.prompt} onError={() => forgetPicture(id)} />
      <figcaption>
        <p>{picture.wish.prompt}</p>
        <p class="note">
          {picture.wish.model} · {texts.seedOf(seed)}
        </p>
        <div class="shown-actions">
          <a class="button plain" href={path} download={`xllm-${seed}.png`}>
            <span>{texts.save}</span>
          </a>
          <Button icon="edit" onClick={edit}>
            {texts.edit}
          </Button>
          <Button icon="again" onClick={() => (wish.value = { ...picture.wish, seed: String(seed) })}>
            {texts.again}
          </Button>
          <IconButton icon="trash" label={texts.forget} onClick={() => forgetPicture(id)} />
        </div>
      </figcaption>
    </figure>
  )
}

/** @throws ApiError where it has expired */
async function blobOf({ path }: Picture): Promise<Blob> {
  if (!path.startsWith("data:")) return await (await request(path)).blob()
  const bytes = Uint8Array.from(atob(path.slice(path.indexOf(",") + 1)), (character) =>
    character.charCodeAt(0),
  )
  return new Blob([bytes], { type: "image/png" })
}
