/** What the scripts of `completion` ask; people do not. */
export const HIDDEN_COMMAND = "__complete"

/** The line of an answer that asks the shell for names of files; no command and no model is called so. */
export const FILES_MARK = ":files"
