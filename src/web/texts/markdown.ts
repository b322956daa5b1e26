import { textsOf } from "./language"

export const markdownTexts = textsOf({
  en: { table: "Table", image: "image", code: "Code", copyCode: "Copy the code" },
  ja: { table: "表", image: "画像", code: "コード", copyCode: "コードをコピー" },
})
