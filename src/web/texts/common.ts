import { textsOf } from "./language"

/** What several views say. */
export const commonTexts = textsOf({
  en: {
    close: "Close",
    cancel: "Cancel",
    save: "Save",
    delete: "Delete",
    copy: "Copy",
    copied: "Copied",
    copyFailed: "The browser does not allow copying",
    retry: "Try again",
    loading: "Loading…",
    more: "More",
    search: "Search",
    none: "None",
    connectionLost: "The server cannot be reached",
    unexpected: (status: number) => `The server answered with status ${status}`,
    viewFailed: "This part of the page could not be loaded",
  },
  ja: {
    close: "閉じる",
    cancel: "キャンセル",
    save: "保存",
    delete: "削除",
    copy: "コピー",
    copied: "コピーしました",
    copyFailed: "ブラウザーがコピーを許可していません",
    retry: "再試行",
    loading: "読み込み中…",
    more: "その他",
    search: "検索",
    none: "なし",
    connectionLost: "サーバーに接続できません",
    unexpected: (status: number) => `サーバーがステータス ${status} を返しました`,
    viewFailed: "この画面を読み込めませんでした",
  },
})
