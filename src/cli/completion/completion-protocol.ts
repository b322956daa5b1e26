/** Called by the scripts of `completion`, not by users. */
export const HIDDEN_COMMAND = "__complete"

/** The output line that asks the shell to complete file names; no command or model can have this name. */
export const FILES_MARK = ":files"
