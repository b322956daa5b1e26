import { textsOf } from "./language"

export const imagesTexts = textsOf({
  en: { title: "Images" },
  ja: { title: "画像" },
})
