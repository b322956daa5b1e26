import type { AdapterSetting } from "../../config/loras"
import { loraSettings } from "../../config/sections/loras"
import type { Flag } from "./flags"

const GROUP = "Adapters"

const joined = (
  earlier: readonly AdapterSetting[],
  later: readonly AdapterSetting[],
): readonly AdapterSetting[] => [...earlier, ...later]

/** Adapters as files, for commands that run models in this process. */
export const adapterFlags = {
  lora: { ...loraSettings.lora, combine: joined, group: GROUP } satisfies Flag<readonly AdapterSetting[]>,
  loraScaled: {
    value: { ...loraSettings.lora.value, placeholder: "FILE SCALE" },
    description:
      "the same with a scale: 0.5 is half as strong, 0 only makes it known to requests (repeatable)",
    takesNumber: true,
    combine: joined,
    group: GROUP,
  } satisfies Flag<readonly AdapterSetting[]>,
}

/** The flags with all adapters under the name of the setting. */
export function withAdapters<
  F extends { readonly lora?: readonly AdapterSetting[]; readonly loraScaled?: readonly AdapterSetting[] },
>({ loraScaled, ...flags }: F): Omit<F, "loraScaled"> {
  return loraScaled === undefined ? flags : { ...flags, lora: joined(flags.lora ?? [], loraScaled) }
}
