import type { HfConfig } from "../source/config"
import type { PlainTensor } from "./float8"
import { stacked, type TensorValues } from "./values"

const EXPERT = /^(.*layers\.(\d+)\.(?:mlp|block_sparse_moe|feed_forward)\.experts)\.(\d+)\.(\w+)\.weight$/
/** The parts of an expert in the order in which their stacks are written, by their names, and what they are. */
const ORDERS: readonly (readonly (readonly [string, string])[])[] = [
  [
    ["w1", "gate_proj"],
    ["w2", "down_proj"],
    ["w3", "up_proj"],
  ],
  [
    ["down_proj", "down_proj"],
    ["gate_proj", "gate_proj"],
    ["up_proj", "up_proj"],
  ],
]

/**
 * The tensors of a checkpoint, those of experts stacked: one of all experts takes the place of the last one.
 * @throws InvalidModelFile where experts are missing or differ
 */
export function withStackedExperts(
  tensors: readonly PlainTensor[],
  config: HfConfig,
): readonly PlainTensor[] {
  const groups = new Map<string, Map<string, PlainTensor>>()
  const out: PlainTensor[] = []
  for (const tensor of tensors) {
    const [, stem = "", layer, expert, part = ""] = EXPERT.exec(tensor.name) ?? []
    const order = ORDERS.find((parts) => parts.some(([name]) => name === part))
    if (layer === undefined || expert === undefined || order === undefined) {
      out.push(tensor)
      continue
    }
    const experts = config.parts("num_local_experts", "num_experts", "n_routed_experts")
    const group = groups.get(stem) ?? new Map<string, PlainTensor>()
    groups.set(stem, group)
    group.set(`${Number(expert)}.${part}`, tensor)
    if (group.size < experts * order.length) continue
    groups.delete(stem)
    for (const [name, meaning] of order) {
      const parts = Array.from({ length: experts }, (_, index) => group.get(`${index}.${name}`))
      out.push({
        name: `model.layers.${layer}.mlp.experts.${meaning}.weight`,
        values: stack(parts, `${stem}.*.${name}`, config),
      })
    }
  }
  const [rest] = groups.keys()
  if (rest !== undefined) throw config.fail(`experts are missing: '${rest}' has fewer than config.json says`)
  return out
}

function stack(parts: readonly (PlainTensor | undefined)[], name: string, config: HfConfig): TensorValues {
  const types = new Set<string>()
  const shapes = new Set<string>()
  const values = parts.map((part) => {
    if (part === undefined) throw config.fail(`experts are missing: '${name}'`)
    types.add(part.values.type)
    shapes.add(part.values.shape.join())
    return part.values
  })
  if (types.size > 1 || shapes.size > 1) throw config.fail(`the experts '${name}' differ in shape or type`)
  return stacked(values)
}
