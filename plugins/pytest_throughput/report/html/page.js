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

/* The filter: a row is shown if each word is in one of its texts; a number has to be a whole cell. Of a long table only
   the first rows are shown, since a browser takes seconds to lay out thousands. */
const MOST_ROWS = 500;

function textsOf(row) {
  const cells = [...row.cells].filter((cell) => !cell.querySelector("details"));
  return cells.map((cell) => cell.textContent.toLowerCase());
}

function isIn(word, texts) {
  return texts.some((text) => (/^[\d.,]+$/.test(word) ? text === word : text.includes(word)));
}

function addFilter(filter, body) {
  const field = filter.querySelector("input");
  const button = filter.querySelector("button");
  const texts = new Map();
  let most = MOST_ROWS;

  function show() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of body.rows) {
      if (words.length && !texts.has(row)) texts.set(row, textsOf(row));
      const matches = words.every((word) => isIn(word, texts.get(row)));
      found += matches ? 1 : 0;
      row.hidden = !matches || found > most;
    }
    button.hidden = found <= most;
    const some = words.length ? `${found} of ${body.rows.length} rows` : "";
    filter.querySelector("output").textContent = found > most ? `the first ${most} of ${found} rows` : some;
  }

  field.addEventListener("input", show);
  button.addEventListener("click", () => {
    most = Infinity;
    show();
    field.focus();
  });
  filter.hidden = false;
  return show;
}

/* Sorting: a button in each heading of a column. Rows without a number are last in both directions. */
const inOrder = new Intl.Collator("en", { numeric: true });

/* A cell names its number where its text is not that number. */
function numberOf(cell) {
  const text = cell.dataset.number ?? cell.textContent.replaceAll(",", "");
  return text === "" ? NaN : Number(text);
}

function sortRows(body, column, sign, hasNumbers) {
  const values = [...body.rows].map((row) => {
    const cell = row.cells[column];
    return { row, text: cell.textContent, number: hasNumbers ? numberOf(cell) : 0 };
  });
  values.sort((one, other) => {
    if (!hasNumbers) return sign * inOrder.compare(one.text, other.text);
    if (isNaN(one.number) || isNaN(other.number)) return isNaN(one.number) - isNaN(other.number);
    return sign * (one.number - other.number);
  });
  body.append(...values.map((value) => value.row));
}

/* What all commands of a table end with stands below it, until it is in each of them. */
for (const end of document.querySelectorAll(".end")) {
  const text = end.querySelector("code").textContent;
  end.closest(".table").querySelectorAll("td code").forEach((command) => command.append(` ${text}`));
  end.remove();
}

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const filter = table.closest(".table").querySelector(".filter");
  const show = filter ? addFilter(filter, body) : () => {};
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
      sortRows(body, column, isAscending ? 1 : -1, heading.classList.contains("number"));
      show();
    });
  });
  show();
}
