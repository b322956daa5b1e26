/**
 * A text of our own for a first look at how well models predict: a story, an explanation, a recipe, a dialogue, and a
 * program. It is small, so it tells only large differences. Free for any use.
 */
export const SAMPLE_TEXT = `The lighthouse at Marrow Point had been without a keeper for eleven years when the letter came. It lay on the mat in the morning, damp at one corner, addressed in a hand that Ida had not seen since she was a girl. She read it standing, with her coat still on, and then she read it again at the kitchen table while the kettle grew louder behind her. Her grandfather's old colleague wrote that the lamp had been lit. He wrote it twice, as people do when they expect not to be believed. On the second and on the ninth of the month, between midnight and one, three fishermen had seen it from the same place, and none of them drank.

She took the slow train because the fast one did not stop there any more. The fields became narrow, then the walls between them became low and loose, and finally there was only grass and the long grey line of the water. At the station a boy offered to carry her bag. He asked whether she was the lady who was going to live in the tower. She said that she was only going to look at it. He thought about this for a while and then told her that the last person who had only looked at it had stayed for a week, and had left without his hat.

The door was locked, but the key from her grandfather's desk turned without a sound, which was strange for a lock that nobody had oiled in a decade. Inside it smelled of salt and machine oil. The stairs went up along the wall in a spiral of a hundred and forty-two steps; she had counted them often enough as a child to know that there was one more on the way down. Halfway up, on the sill of a small window, stood a cup. The tea in it was cold, but it was tea, and it was not eleven years old.

How does a lighthouse throw its light so far? The lamp itself is not very bright. A bulb of a thousand watts, which would be uncomfortable in a living room, sends its light in all directions, and most of it would be lost in the sky and on the ground. The lens gathers it. A solid lens of the right size would weigh several tons and absorb much of what it was meant to send, so the glass is cut into rings, each of which bends the light just as much as the same ring of the solid lens would have done. What remains is a thin shell of prisms. The inner rings refract the light, the outer ones reflect it, and together they turn a sphere of light into a narrow beam. When the lens turns, the beam sweeps over the horizon, and a sailor who counts the seconds between two flashes can look up in a list which tower he is seeing. Before there were satellites, this was often the only certain thing on a dark coast.

The distance at which a light can be seen is limited by the curve of the earth as well. For an eye at the height h above the water, in metres, the horizon is about 3.57 times the square root of h kilometres away. From a deck at 4 metres that is 7.1 kilometres, and from a lantern at 49 metres it is 25.0 kilometres. A light of that height is therefore visible from the deck at a distance of up to 32 kilometres, if the air is clear, and a little farther, because the air bends the light along the surface.

To bake a plain loaf you need 500 grams of flour, 350 grams of water, 10 grams of salt and 5 grams of dry yeast. Mix everything until no dry flour is left, cover the bowl, and wait for half an hour. Then wet your hands, pull one side of the dough up, and fold it over the rest; turn the bowl a quarter and do the same again, four times in all. Repeat this after another half hour. When the dough has doubled, shape it into a ball, let it rest for forty minutes, and heat the oven with an iron pot in it to 240 degrees. Bake the loaf in the closed pot for 25 minutes, and without its lid for another 20. It is done when it sounds hollow. Do not cut it while it is hot, however good it smells.

"You are late," said the man at the top of the stairs. He was sitting on a crate with his back to the lens, and he did not get up.

"Late for what?" asked Ida.

"For the second lamp. It takes two people to change it, one to hold the ladder and one to curse. I have been doing both."

"Nobody asked you to light it."

"No," he said, and he smiled for the first time. "But nobody asked them to turn it off, either. Do you know how many boats have gone onto the shoal since then? Four. I counted them. The council says that every boat has a receiver now, and that may be true. A receiver does not help you when its battery is flat, and it has never yet made anybody feel that they were expected at home."

She looked out through the panes. Far below, the tide was turning, and a line of foam marked the place where the rocks began. She thought of the cup on the sill, of the lock that had been oiled, and of all the nights on which this old man must have climbed a hundred and forty-two steps with a can in each hand. Then she took off her coat and hung it over the railing.

"I will hold the ladder," she said.

A queue that keeps its order and forgets nothing can be written in a few lines. The following class stores values in an array and moves the beginning forward instead of shifting the whole array at each removal:

class Queue {
  constructor() {
    this.values = [];
    this.first = 0;
  }

  push(value) {
    this.values.push(value);
  }

  shift() {
    if (this.first === this.values.length) return undefined;
    const value = this.values[this.first];
    this.first = this.first + 1;
    if (this.first * 2 > this.values.length) {
      this.values = this.values.slice(this.first);
      this.first = 0;
    }
    return value;
  }

  get length() {
    return this.values.length - this.first;
  }
}

Removing a value takes constant time on average: the array is copied only when at least half of it is no longer needed, so every copied value has been paid for by one that was removed. The same argument explains why a growing array may double its size whenever it is full. A single step can be slow, yet a thousand steps together are not.

In the spring the council sent an engineer. She was young, she wore good boots, and she had a list with twenty-six questions, of which Ida could answer nineteen. They walked round the gallery together while the wind pulled at the paper. At the end the engineer folded her list, put it into her pocket, and asked whether it would be possible to see the lamp at night, not for the report, only once. Ida said that it would be lit at half past nine, and that there was soup. In the report, which came in June, there was one sentence that neither of them had expected: the light at Marrow Point is to be kept in operation until further notice. The old man read it aloud, slowly, as if it were in a foreign language. Then he went to look for the second cup.
`
