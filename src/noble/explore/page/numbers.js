"use strict";
/* Arithmetic that several parts share, and the one memory that all products of matrices work in. */
const Numbers = (() => {
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const padded = (count) => (count + 3) & ~3;
  const softplus = (value) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)));
  const sigmoid = (value) => 1 / (1 + Math.exp(-value));

  /** Bytes of a text in base64. */
  function bytesOf(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
    return bytes;
  }

  /* Products in WebAssembly (kernel.wat), four numbers at once; the bytes are put here when the page is made. */
  const KERNEL = "@kernel@";

  /** Memory of float32, in which matrices lie one after the other, each row filled up to a multiple of four. */
  class Heap {
    /** `floats`: how many it holds at most. */
    constructor(floats) {
      this.used = 0;
      this.compiled = null;
      const pages = Math.ceil((floats * 4) / 65536);
      try {
        const memory = new WebAssembly.Memory({ initial: pages });
        const module = new WebAssembly.Module(bytesOf(KERNEL));
        this.compiled = new WebAssembly.Instance(module, { page: { memory } }).exports.product;
        this.floats = new Float32Array(memory.buffer);
      } catch {
        this.floats = new Float32Array(floats); // a browser without vector instructions, or a page that may not compile
      }
    }

    /** Place for rows of so many columns: the index of its first number. */
    room(rows, columns) {
      const start = this.used;
      this.used += rows * padded(columns);
      if (this.used > this.floats.length) throw new Error("the memory of the operator is too small");
      return start;
    }

    /**
     * left (rows x inner) times right (inner x columns) into result; all by their first number, rows of left `stride` apart.
     */
    product(left, stride, rows, inner, right, columns, result) {
      const wide = padded(columns);
      if (this.compiled) this.compiled(left * 4, stride * 4, rows, inner, right * 4, wide * 4, result * 4);
      else slowly(this.floats, left, stride, rows, inner, right, wide, result);
    }
  }

  function slowly(floats, left, stride, rows, inner, right, wide, result) {
    for (let row = 0; row < rows; row++) {
      const from = left + row * stride;
      const to = result + row * wide;
      for (let column = 0; column < wide; column += 4) {
        let a = 0;
        let b = 0;
        let c = 0;
        let d = 0;
        let place = right + column;
        for (let index = 0; index < inner; index++, place += wide) {
          const value = floats[from + index];
          a += value * floats[place];
          b += value * floats[place + 1];
          c += value * floats[place + 2];
          d += value * floats[place + 3];
        }
        floats[to + column] = a;
        floats[to + column + 1] = b;
        floats[to + column + 2] = c;
        floats[to + column + 3] = d;
      }
    }
  }

  return { Heap, bytesOf, clamp, padded, sigmoid, softplus };
})();
