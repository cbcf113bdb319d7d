// Apache-2.0, part of styleT2I
// The normal numbers that PyTorch draws on a CPU from a seed, so that a seed is the same face here as there.
"use strict";

// Mersenne Twister (Matsumoto and Nishimura, 1998), seeded by the seed's low 32 bits.
class Twister {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = Number(BigInt(seed) & 0xffffffffn);
    for (let i = 1; i < 624; i++) {
      const last = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, last) + i;
    }
    this.place = 624;
  }

  next() {
    if (this.place === 624) {
      const s = this.state;
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.place = 0;
    }
    let y = this.state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  // Uniform in [0, 1) with 24 bits, as of torch's float32.
  float() {
    return (this.next() & 0xffffff) / 0x1000000;
  }

  // Uniform in [0, 1) with 53 bits, as of torch's float64.
  double() {
    const high = this.next() & 0x1fffff;
    return (high * 0x100000000 + this.next()) / 0x20000000000000;
  }
}

// torch.randn(num, generator=torch.Generator().manual_seed(seed)): Box and Muller's pairs, by blocks of 16 numbers;
// fewer than 16 are drawn one pair after the other.
function randomNormal(seed, num) {
  const twister = new Twister(seed);
  const values = new Float64Array(num);
  if (num < 16) {
    for (let i = 0; i < num; i += 2) {
      const angle = 2 * Math.PI * twister.double();
      const radius = Math.sqrt(-2 * Math.log1p(-twister.double()));
      values[i] = radius * Math.cos(angle);
      if (i + 1 < num) values[i + 1] = radius * Math.sin(angle);
    }
    return Float32Array.from(values);
  }
  for (let i = 0; i < num; i++) values[i] = twister.float();
  const pairUp = (start) => {
    for (let i = start; i < start + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - values[i]));
      const angle = 2 * Math.PI * values[i + 8];
      values[i] = radius * Math.cos(angle);
      values[i + 8] = radius * Math.sin(angle);
    }
  };
  for (let start = 0; start + 16 <= num; start += 16) pairUp(start);
  if (num % 16) {
    for (let i = num - 16; i < num; i++) values[i] = twister.float();
    pairUp(num - 16);
  }
  return Float32Array.from(values);
}
