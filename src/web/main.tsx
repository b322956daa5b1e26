import { render } from "preact"
import { Shell } from "./shell/shell"

const root = document.getElementById("app")
if (root !== null) render(<Shell />, root)
