import { loras } from "../loras"
import { LIVE, setting } from "../setting"

/** LoRA adapters for all models. */
export const loraSettings = {
  lora: setting(
    "loras",
    loras,
    [],
    "LoRA adapter (GGUF, or folder of PEFT) for every model that it fits; requests can name it, and set its scale (repeatable)",
    LIVE,
  ),
}
