import type { GoTemplate, Node, Operand, Pipeline } from "./syntax"

/** Does the template use a field of that name? */
export function mentions({ nodes, defined }: GoTemplate, field: string): boolean {
  return [nodes, ...defined.values()].some((list) => listMentions(list, field))
}

function listMentions(nodes: readonly Node[], field: string): boolean {
  return nodes.some((node) => nodeMentions(node, field))
}

function nodeMentions(node: Node, field: string): boolean {
  switch (node.type) {
    case "text":
    case "break":
    case "continue":
      return false
    case "action":
      return pipelineMentions(node.pipeline, field)
    case "if":
    case "with":
      return (
        listMentions(node.otherwise, field) ||
        node.branches.some(
          ({ condition, body }) => pipelineMentions(condition, field) || listMentions(body, field),
        )
      )
    case "range":
      return (
        pipelineMentions(node.branch.condition, field) ||
        listMentions(node.branch.body, field) ||
        listMentions(node.otherwise, field)
      )
    case "template":
      return node.argument !== undefined && pipelineMentions(node.argument, field)
  }
}

function pipelineMentions({ commands }: Pipeline, field: string): boolean {
  return commands.some(({ operands }) => operands.some((operand) => operandMentions(operand, field)))
}

function operandMentions(operand: Operand, field: string): boolean {
  switch (operand.type) {
    case "dot":
    case "variable":
      return operand.fields.includes(field)
    case "pipeline":
      return operand.fields.includes(field) || pipelineMentions(operand.pipeline, field)
    default:
      return false
  }
}

/** The nodes before the response: everything up to the first action that prints `.Response`. */
export function withoutAnswer(nodes: readonly Node[]): readonly Node[] {
  return new Cutter().list(nodes)
}

class Cutter {
  #isCut = false

  list(nodes: readonly Node[]): Node[] {
    const kept: Node[] = []
    for (const node of nodes) {
      if (this.#isCut) break
      kept.push(this.#node(node))
    }
    return kept
  }

  #node(node: Node): Node {
    switch (node.type) {
      case "action": {
        if (pipelineMentions(node.pipeline, "Response")) this.#isCut = true
        return node
      }
      case "if":
      case "with": {
        const branches = node.branches.map(({ condition, body }) => ({ condition, body: this.list(body) }))
        return { ...node, branches, otherwise: this.list(node.otherwise) }
      }
      case "range":
        return {
          ...node,
          branch: { ...node.branch, body: this.list(node.branch.body) },
          otherwise: this.list(node.otherwise),
        }
      default:
        return node
    }
  }
}
