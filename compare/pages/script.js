// Without this the page is whole; with it tables sort, filter and copy, and the page can be dark or light by a button.
const make = (tag, words, more = {}) => Object.assign(document.createElement(tag), { textContent: words }, more);
const number = (text) => {
  const plain = text.replace(/,/g, "").replace(/^exact$/, "0");
  const found = plain.match(/^[^\d+-]*([+-]?\d+(\.\d+)?(e[+-]?\d+)?)/i);
  return found ? Number(found[1]) : null;
};

function sort(table, column, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  const key = (row) => row.cells[column]?.textContent.trim() ?? "";
  rows.sort((a, b) => {
    const [x, y] = [number(key(a)), number(key(b))];
    const order = x !== null && y !== null ? x - y : (x !== null) - (y !== null) || key(a).localeCompare(key(b));
    return down ? -order : order;
  });
  table.tBodies[0].append(...rows);
}

function copy(table, button) {
  const shown = [...table.rows].filter((row) => !row.hidden);
  const text = shown.map((row) => [...row.cells].map((cell) => cell.innerText.trim()).join("\t")).join("\n");
  const area = make("textarea", "", { value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy"); // works from a file, too, where the clipboard's own interface may not
  area.remove();
  button.textContent = "copied";
  button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/^copy:/, "copied:"));
  button.focus();
}

for (const box of document.querySelectorAll(".scroll.rows")) {
  const table = box.querySelector("table");
  const name = box.getAttribute("aria-label");
  const tools = make("div", "", { className: "tools" });
  const filter = make("input", "", { type: "search", placeholder: "filter rows" });
  filter.setAttribute("aria-label", `filter: ${name}`);
  filter.oninput = () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  };
  const button = make("button", "copy", { type: "button", onclick: () => copy(table, button) });
  button.setAttribute("aria-label", `copy: ${name}`);
  tools.append(filter, button);
  box.before(tools);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const press = make("button", head.textContent, { type: "button", onclick: () => sort(table, column, head) });
    head.replaceChildren(press);
  });
}

const root = document.documentElement;
const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const theme = make("button", isDark() ? "light" : "dark", { type: "button", id: "theme" });
theme.onclick = () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  theme.textContent = isDark() ? "light" : "dark";
};
document.querySelector("nav").append(theme);
