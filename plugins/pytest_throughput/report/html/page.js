"use strict";

/* The theme: the system's, until the button chooses the other one. */
const root = document.documentElement;
const theme = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");

function otherTheme() {
  const shown = root.dataset.theme || (dark.matches ? "dark" : "light");
  return shown === "dark" ? "light" : "dark";
}

function nameTheme() {
  theme.textContent = otherTheme() === "dark" ? "Dark theme" : "Light theme";
}

theme.addEventListener("click", () => {
  root.dataset.theme = otherTheme();
  nameTheme();
});
dark.addEventListener("change", nameTheme);
nameTheme();
theme.hidden = false;

/* Sorting: a button in each heading of a column. Rows without a number are last in both directions. */
const inOrder = new Intl.Collator("en", { numeric: true });

function valuesOf(rows, column) {
  return rows.map((row) => {
    const cell = row.cells[column];
    const isNumber = "number" in cell.dataset;
    return { row, text: cell.textContent, number: isNumber ? Number(cell.dataset.number) : null };
  });
}

function sortRows(table, column, sign) {
  const body = table.tBodies[0];
  const values = valuesOf([...body.rows], column);
  const hasNumbers = values.some((value) => value.number !== null);
  values.sort((one, other) => {
    if (!hasNumbers) return sign * inOrder.compare(one.text, other.text);
    if (one.number === null || other.number === null) return (one.number === null) - (other.number === null);
    return sign * (one.number - other.number);
  });
  body.append(...values.map((value) => value.row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isAscending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
      sortRows(table, column, isAscending ? 1 : -1);
    });
  });
}

/* The filter: a row is shown if each word is in one of its texts; a number has to be a whole cell. */
function cellsOf(row) {
  const cells = [...row.cells].filter((cell) => !cell.querySelector("details"));
  return cells.map((cell) => cell.textContent.toLowerCase());
}

function isIn(word, cells) {
  return cells.some((text) => (/^[\d.,]+$/.test(word) ? text === word : text.includes(word)));
}

for (const filter of document.querySelectorAll(".filter")) {
  const rows = [...filter.closest(".table").querySelectorAll("tbody > tr")];
  const field = filter.querySelector("input");
  const count = filter.querySelector("output");
  let texts = null;
  field.addEventListener("input", () => {
    texts ??= rows.map(cellsOf);
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => isIn(word, texts[index]));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
  filter.hidden = false;
}
