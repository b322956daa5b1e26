/** What is asked for, and how much of the answer can be guessed. */
export interface GuessedTask {
  readonly name: string
  readonly prompt: string
}

const PEOPLE = [
  "Anna Berg; Berlin; 31; anna.berg@example.com",
  "Bruno Diaz; Madrid; 44; bruno.diaz@example.com",
  "Carla Rossi; Rome; 28; carla.rossi@example.com",
  "Deniz Kaya; Ankara; 39; deniz.kaya@example.com",
  "Emil Novak; Prague; 52; emil.novak@example.com",
  "Fatima Noor; Cairo; 23; fatima.noor@example.com",
].join("\n")

const CODE = `def total(prices, rate):
    result = 0
    for price in prices:
        result += price
    return result * (1 + rate)


def average(prices):
    if not prices:
        return 0
    return sum(prices) / len(prices)


def cheapest(prices):
    best = prices[0]
    for price in prices:
        if price < best:
            best = price
    return best
`

const TEXT =
  "The lighthouse at the end of the pier was built in 1871 by two brothers who had lost a ship on the rocks below. " +
  "It is eighteen metres high, and its lamp can be seen from a distance of twenty kilometres. Since 1964 nobody has " +
  "lived there: a switch in the harbour office turns the lamp on at dusk and off at dawn."

export const TASKS: readonly GuessedTask[] = [
  {
    name: "records → JSON",
    prompt: `Write these records as a JSON array of objects with the keys name, city, age and email.\n\n${PEOPLE}`,
  },
  {
    name: "edit a file",
    prompt: `Rename the variable price to cost everywhere in this file, and write the whole file again.\n\n${CODE}`,
  },
  { name: "repeat", prompt: `Repeat this text word for word:\n\n${TEXT}` },
  { name: "free text", prompt: "Write a short story about a lighthouse keeper and a storm." },
]
