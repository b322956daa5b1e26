import type { ModelBody } from "../../http/v0/bodies/model"
import { imagesTexts } from "../texts/images"
import { Button, IconButton } from "../ui/button"
import { Labelled } from "../ui/field"
import { Icon } from "../ui/icons"
import { toast } from "../ui/toasts"
import { draw, progress, source, stopDrawing, type Wish, wish } from "./drawing"
import { useBlobUrl } from "./blob-url"

const SIZES = ["256x256", "512x512", "768x768", "1024x1024", "768x1024", "1024x768"]

/** What is to be drawn. */
export function WishForm({ models }: { readonly models: readonly ModelBody[] }) {
  const texts = imagesTexts.value
  const now = wish.value
  const set = (change: Partial<Wish>) => (wish.value = { ...wish.value, ...change })
  const isDrawing = progress.value !== undefined
  const model = models.some(({ name }) => name === now.model) ? now.model : (models[0]?.name ?? "")
  const number = (name: "steps" | "guidance" | "seed", label: string, placeholder: string, step: string) => (
    <Labelled label={label}>
      {(ids) => (
        <input
          {...ids}
          type="number"
          min="0"
          step={step}
          placeholder={placeholder}
          value={now[name]}
          onInput={({ currentTarget }) => set({ [name]: currentTarget.value })}
        />
      )}
    </Labelled>
  )
  return (
    <form
      class="wish"
      onSubmit={(event) => {
        event.preventDefault()
        set({ model })
        void draw()
      }}
    >
      <Labelled label={texts.model}>
        {(ids) => (
          <select
            {...ids}
            value={model}
            onChange={({ currentTarget }) => set({ model: currentTarget.value })}
          >
            {models.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </Labelled>
      <Labelled label={texts.prompt}>
        {(ids) => (
          <textarea
            {...ids}
            rows={4}
            placeholder={texts.promptHint}
            value={now.prompt}
            onInput={({ currentTarget }) => set({ prompt: currentTarget.value })}
          />
        )}
      </Labelled>
      <Source />
      <div class="wish-grid">
        <Labelled label={texts.size}>
          {(ids) => (
            <input
              {...ids}
              type="text"
              list="image-sizes"
              autoComplete="off"
              pattern="[0-9]{2,4}x[0-9]{2,4}"
              placeholder={texts.standard}
              value={now.size}
              onInput={({ currentTarget }) => set({ size: currentTarget.value })}
            />
          )}
        </Labelled>
        <datalist id="image-sizes">
          {SIZES.map((size) => (
            <option key={size} value={size} />
          ))}
        </datalist>
        <Labelled label={texts.count}>
          {(ids) => (
            <select
              {...ids}
              value={now.count}
              onChange={({ currentTarget }) => set({ count: currentTarget.value })}
            >
              {["1", "2", "3", "4"].map((count) => (
                <option key={count}>{count}</option>
              ))}
            </select>
          )}
        </Labelled>
        {number("steps", texts.steps, texts.standard, "1")}
        {number("guidance", texts.guidance, texts.standard, "0.5")}
        {number("seed", texts.seed, texts.random, "1")}
      </div>
      <Labelled label={texts.negative}>
        {(ids) => (
          <input
            {...ids}
            type="text"
            value={now.negative}
            onInput={({ currentTarget }) => set({ negative: currentTarget.value })}
          />
        )}
      </Labelled>
      {isDrawing ? (
        <Button icon="stop" onClick={stopDrawing}>
          {texts.stop}
        </Button>
      ) : (
        <Button icon="images" look="primary" type="submit" disabled={now.prompt.trim() === ""}>
          {texts.generate}
        </Button>
      )}
    </form>
  )
}

/** The picture to begin with: chosen, dropped, or an earlier one. */
function Source() {
  const texts = imagesTexts.value
  const url = useBlobUrl(source.value)
  const take = (file: File | undefined) => {
    if (file === undefined) return
    if (file.type.startsWith("image/")) source.value = file
    else toast(texts.notAnImage, { look: "error" })
  }
  if (url === undefined)
    return (
      <label
        class="source"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault()
          take(event.dataTransfer?.files[0])
        }}
      >
        <Icon name="upload" />
        <span>{texts.source}</span>
        <input
          type="file"
          accept="image/png,image/jpeg,image/webp"
          class="unseen"
          onChange={({ currentTarget }) => take(currentTarget.files?.[0])}
        />
      </label>
    )
  return (
    <div class="source-chosen">
      <img src={url} alt={texts.source} />
      <Labelled label={texts.strength} note={`${texts.sourceNote} ${texts.strengthNote}`}>
        {(ids) => (
          <input
            {...ids}
            type="range"
            min="0.05"
            max="1"
            step="0.05"
            value={wish.value.strength}
            onInput={({ currentTarget }) => (wish.value = { ...wish.value, strength: currentTarget.value })}
          />
        )}
      </Labelled>
      <IconButton icon="close" label={texts.removeSource} onClick={() => (source.value = undefined)} />
    </div>
  )
}
