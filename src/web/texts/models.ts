import { textsOf } from "./language"

export const modelsTexts = textsOf({
  en: { title: "Models" },
  ja: { title: "モデル" },
})
