import { textsOf } from "./language"

export const serverTexts = textsOf({
  en: { title: "Server" },
  ja: { title: "サーバー" },
})
