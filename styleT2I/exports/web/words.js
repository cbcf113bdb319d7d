// Apache-2.0, part of styleT2I
// Sentences: their words, the ids of their words, and the attributes that they name. As in styleT2I.torch_utils.words
// and styleT2I.networks.clip.tokenizers.WordTokenizer.
"use strict";

const LETTER = "[\\p{L}\\p{N}]";
const WEIGHT = ":\\p{Nd}?\\.\\p{Nd}+"; // of "(smiling:1.3)"
const TOKEN = new RegExp(
  `(?<![\\p{L}\\p{N}_])w/o?(?=\\s)|${LETTER}+(?:'${LETTER}+)*|${WEIGHT}|[,.;:!?()/&#]` +
    `|(?<=\\s)[-\u2013\u2014]+(?=\\s)|\u2014`,
  "gu",
);
const WHOLE = {
  "can't": ["can", "not"], cannot: ["can", "not"], "won't": ["will", "not"], "ain't": ["is", "not"],
  isnt: ["is", "not"], doesnt: ["does", "not"], dont: ["do", "not"], hasnt: ["has", "not"], havent: ["have", "not"],
  arent: ["are", "not"], wasnt: ["was", "not"], werent: ["were", "not"], didnt: ["did", "not"], aint: ["is", "not"],
  shes: ["she", "is"], hes: ["he", "is"], whos: ["who", "is"], theyre: ["they", "are"], gonna: ["going", "to"],
  "w/": ["with"], "&": ["and"], "w/o": ["without"],
};
const TAILS = { "n't": "not", "'re": "are", "'m": "am", "'ve": "have", "'ll": "will", "'d": "had" };
const VERB_S = new Set(["he", "she", "it", "there", "who", "that", "this", "what", "here"]);

function wordParts(word, isSum) {
  if (isSum && word.startsWith("-")) return ["without"]; // "man + hat - glasses"
  if (Object.hasOwn(WHOLE, word)) return WHOLE[word];
  for (const [tail, full] of Object.entries(TAILS)) {
    if (word.endsWith(tail) && word.length > tail.length) return [word.slice(0, -tail.length), full];
  }
  if (word.endsWith("'s") && word.length > 2) {
    const stem = word.slice(0, -2);
    return VERB_S.has(stem) ? [stem, "is"] : [stem]; // elsewhere it marks a possessive
  }
  return [word];
}

// "She isn't gray-haired!" -> she is not gray haired
function plainWords(text) {
  const found = text.replace(/[\u2019\u2018\u02bc`]/g, "'").match(TOKEN) || [];
  const isSum = text.includes(" + ");
  return found.flatMap((word) => wordParts(word.toLowerCase(), isSum)).filter((word) => /^[\p{L}\p{N}]/u.test(word));
}

// Edit distance in which a swap of neighbours counts once.
function slips(one, other) {
  let before = [];
  let last = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      let best = Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (one[i - 1] !== other[j - 1]));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        best = Math.min(best, before[j - 2] + 1);
      }
      row.push(best);
    }
    [before, last] = [last, row];
  }
  return last[other.length];
}

// The known word that a misspelt one probably meant, or null.
function nearestWord(word, known) {
  let limit = word.length < 4 ? 0 : word.length < 7 ? 1 : 2;
  let best = null;
  for (const other of limit ? known : []) {
    if (Math.abs(other.length - word.length) > limit) continue;
    const num = slips(word, other);
    if (num > limit) continue;
    best = other;
    limit = num - 1;
    if (limit < 0) break;
  }
  return best;
}

class Tokenizer {
  // words: word i has id i + 2; 0 pads, 1 stands for unknown words; the last two ids mark start and end.
  constructor({ words, context_length: length }) {
    this.length = length;
    this.ids = new Map(words.map((word, i) => [word, i + 2]));
    this.start = words.length + 2;
    this.end = words.length + 3;
  }

  encode(text) {
    const ids = new BigInt64Array(this.length);
    const inner = plainWords(text).map((word) => this.ids.get(word) ?? 1).slice(0, this.length - 2);
    [this.start, ...inner, this.end].forEach((id, i) => (ids[i] = BigInt(id)));
    return ids;
  }

  // How many words of the text are not read.
  overlong(text) {
    return Math.max(0, plainWords(text).length + 2 - this.length);
  }

  // [[word, nearest known word or null], ...], each word once.
  unknown(text) {
    const missing = [...new Set(plainWords(text))].filter((word) => !this.ids.has(word));
    return missing.map((word) => [word, nearestWord(word, this.ids.keys())]);
  }
}

class Phrases {
  // phrases: {"without a hat": {hat: false}, ...}; unclear: words that turn a phrase round.
  constructor(phrases, unclear) {
    this.meanings = new Map(Object.entries(phrases).map(([text, means]) => [plainWords(text).join(" "), means]));
    this.unclear = new Set(unclear.map((text) => plainWords(text).join(" ")));
    const lengths = [...this.meanings.keys(), ...this.unclear].map((text) => text.split(" ").length);
    this.longest = Math.max(1, ...lengths);
  }

  // {asked: {name: boolean}, unclear: word or null}: what the longest known phrases ask for, nothing where a word
  // beside them may turn one round or two contradict each other.
  read(text) {
    const words = plainWords(text);
    const asked = {};
    const twice = new Set();
    let unclear = null;
    for (let i = 0, length; i < words.length; i += length) {
      let group;
      for (length = Math.min(this.longest, words.length - i); length > 1; length--) {
        group = words.slice(i, i + length).join(" ");
        if (this.meanings.has(group) || this.unclear.has(group)) break;
      }
      group = words.slice(i, i + length).join(" ");
      if (this.meanings.has(group)) {
        for (const [name, value] of Object.entries(this.meanings.get(group))) {
          if (name in asked && asked[name] !== value) twice.add(name);
          asked[name] = value;
        }
      } else if (this.unclear.has(group)) {
        unclear ??= group;
      }
    }
    twice.forEach((name) => delete asked[name]);
    return { asked: unclear ? {} : asked, unclear };
  }
}
