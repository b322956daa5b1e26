import { effect } from "@preact/signals"
import { stored } from "./stored"

export type Theme = "system" | "light" | "dark"

export const theme = stored<Theme>("theme", "system", (value) => value === "light" || value === "dark")

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme.value
})
