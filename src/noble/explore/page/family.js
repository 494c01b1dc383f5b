"use strict";
/* What is typical of a neuron of which some features are known, and neurons near it: noble/family. */
const Family = (() => {
  /* Directions that vary less than this part of the largest hold nothing but rounding. */
  const LEAST = 1e-14;

  /**
   * All features of a neuron, by name: those in `known` as they are, the others at their conditional mean.
   * `told`: what a page carries of an operator.
   */
  function complete(told, known) {
    const names = told.features.map((feature) => feature.name);
    const given = names.filter((name) => name in known);
    if (given.length === names.length || !told.family)
      return Object.fromEntries(names.map((name) => [name, known[name]]));
    const { offset, slopes } = regression(told, names, given);
    const all = names.map((name, column) =>
      given.reduce((sum, other, row) => sum + known[other] * slopes[row][column], offset[column]),
    );
    return Object.fromEntries(names.map((name, column) => [name, name in known ? known[name] : all[column]]));
  }

  const remembered = new WeakMap();

  /** The conditional mean as a linear map: `FamilyPrior.regression`. */
  function regression(told, names, given) {
    const { family, plane } = told;
    if (!remembered.has(told)) remembered.set(told, new Map());
    const maps = remembered.get(told);
    const key = given.join(" ");
    if (maps.has(key)) return maps.get(key);
    let found = { offset: family.offset, slopes: family.slopes };
    if (!plane || key !== names.filter((name) => plane.features.includes(name)).join(" ")) {
      const columns = given.map((name) => names.indexOf(name));
      const spread = family.mean.map((_, column) => Math.sqrt(family.covariance[column][column]));
      const related = (row, column) => family.covariance[row][column] / (spread[row] * spread[column]);
      const inverse = pseudoInverse(columns.map((row) => columns.map((column) => related(row, column))));
      const slopes = columns.map((from, row) =>
        names.map(
          (_, column) =>
            (columns.reduce((sum, other, index) => sum + inverse[row][index] * related(other, column), 0) *
              spread[column]) /
            spread[from],
        ),
      );
      const offset = family.mean.map((mean, column) =>
        columns.reduce((sum, from, row) => sum - family.mean[from] * slopes[row][column], mean),
      );
      found = { offset, slopes };
    }
    maps.set(key, found);
    return found;
  }

  /** Of a symmetric matrix, by Jacobi's rotations. */
  function pseudoInverse(matrix) {
    const size = matrix.length;
    const left = matrix.map((row) => [...row]);
    const turned = matrix.map((_, row) => matrix.map((__, column) => (row === column ? 1 : 0)));
    for (let sweep = 0; sweep < 60; sweep++) {
      let off = 0;
      for (let p = 0; p < size; p++)
        for (let q = p + 1; q < size; q++) {
          const value = left[p][q];
          off += value * value;
          if (Math.abs(value) < 1e-300) continue;
          const theta = (left[q][q] - left[p][p]) / (2 * value);
          const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
          const cosine = 1 / Math.sqrt(tangent * tangent + 1);
          const sine = tangent * cosine;
          for (let k = 0; k < size; k++) {
            const [a, b] = [left[k][p], left[k][q]];
            left[k][p] = cosine * a - sine * b;
            left[k][q] = sine * a + cosine * b;
          }
          for (let k = 0; k < size; k++) {
            const [a, b] = [left[p][k], left[q][k]];
            left[p][k] = cosine * a - sine * b;
            left[q][k] = sine * a + cosine * b;
            const [c, d] = [turned[k][p], turned[k][q]];
            turned[k][p] = cosine * c - sine * d;
            turned[k][q] = sine * c + cosine * d;
          }
        }
      if (off < 1e-30) break;
    }
    const largest = Math.max(...left.map((row, index) => Math.abs(row[index])));
    const inverted = left.map((row, index) => (Math.abs(row[index]) > LEAST * largest ? 1 / row[index] : 0));
    return matrix.map((_, row) =>
      matrix.map((__, column) =>
        inverted.reduce((sum, value, k) => sum + turned[row][k] * value * turned[column][k], 0),
      ),
    );
  }

  /** Whether a point of the plane lies in the hull, whose corners come in order. */
  function inside(told, first, second) {
    const { hull } = told.plane;
    let sign = 0;
    for (let index = 0; index < hull.length; index++) {
      const [ax, ay] = hull[index];
      const [bx, by] = hull[(index + 1) % hull.length];
      const side = Math.sign((bx - ax) * (second - ay) - (by - ay) * (first - ax));
      if (side && sign && side !== sign) return false;
      sign = sign || side;
    }
    return true;
  }

  /** The features of a model, by its place among those that the page carries. */
  const model = (told, place) =>
    Object.fromEntries(told.features.map((feature, column) => [feature.name, told.models.features[place][column]]));

  /** Numbers from 0 to 1 that are the same for the same seed (mulberry32, public domain). */
  function chance(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** Neurons in a disc of the plane round one, `radius` in units of the models' range; they keep what is its own. */
  function near(told, features, count, radius) {
    const names = told.features.map((feature) => feature.name);
    const latent = told.plane.features.map((name) => told.features[names.indexOf(name)]);
    const { slopes } = regression(
      told,
      names,
      names.filter((name) => told.plane.features.includes(name)),
    );
    const random = chance(1);
    return Array.from({ length: count }, () => {
      const angle = 2 * Math.PI * random();
      const length = radius * Math.sqrt(random());
      const moves = [Math.cos(angle), Math.sin(angle)].map(
        (part, axis) => part * length * (latent[axis].maximum - latent[axis].minimum),
      );
      return Object.fromEntries(
        names.map((name, column) => [
          name,
          features[name] + moves[0] * slopes[0][column] + moves[1] * slopes[1][column],
        ]),
      );
    });
  }

  return { chance, complete, inside, model, near };
})();
