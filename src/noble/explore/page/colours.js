"use strict";
/* Colours that those who see no red or no green tell apart (Okabe and Ito), read from the style so that there is one home. */
const Colours = (() => {
  /* Cividis (Nuñez, Anderton and Renslow, PLoS ONE 13, 2018), at equal distances. */
  const MAP = [
    "#00224e",
    "#123570",
    "#3b496c",
    "#575d6d",
    "#707173",
    "#8a8678",
    "#a59c74",
    "#c3b369",
    "#e1cc55",
    "#fee838",
  ].map((text) => [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16)));

  /** A colour of the style by its name. */
  const named = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** Red, green and blue of a share from 0 to 1. */
  function ofShare(share) {
    const place = Numbers.clamp(share, 0, 1) * (MAP.length - 1);
    const left = Math.min(Math.floor(place), MAP.length - 2);
    return MAP[left].map((value, part) => Math.round(value + (MAP[left + 1][part] - value) * (place - left)));
  }

  /** The whole scale, for CSS. */
  const gradient = () => `linear-gradient(to right, ${MAP.map((parts) => `rgb(${parts.join(" ")})`).join(", ")})`;

  return { gradient, named, ofShare };
})();
