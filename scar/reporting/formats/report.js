"use strict";
const status_ = document.getElementById("status");
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = head.cellIndex;
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const key = (row) => {
      const cell = row.cells[column];
      return "key" in cell.dataset ? Number(cell.dataset.key) : cell.textContent;
    };
    const empty = (row) => row.cells[column].textContent === "missing" || row.cells[column].textContent === "undefined";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      if (empty(a) !== empty(b)) return empty(a) ? 1 : -1;
      const [x, y] = [key(a), key(b)];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, {numeric: true});
      return ascending ? order : -order;
    });
    table.tBodies[0].append(...rows);
    status_.textContent = `Sorted by ${button.textContent}, ${ascending ? "ascending" : "descending"}`;
  });
}
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
}
for (const box of document.querySelectorAll(".whatif")) {
  const steps = JSON.parse(box.querySelector("script").textContent);
  const control = (name) => box.querySelector(`[name=${name}]`);
  const show = (name, text) => { box.querySelector(`[data-shows=${name}]`).textContent = text; };
  const [planner, source, slider, price, target] = ["planner", "source", "step", "at", "mix"].map(control);
  const mixes = [...new Set(steps.map((step) => step.mix))].filter((mix) => mix);
  const mix = () => (steps.some((step) => step.mix && step.planner === planner.value) ? mixes[Number(target.value)] : "");
  const own = () => steps.filter((step) => step.planner === planner.value && step.source === source.value && step.mix === mix());
  const prices = price ? price.dataset.prices.split(" ").map(Number) : [1];
  const grouped = (value) => (+value.toFixed(2)).toLocaleString("en").replaceAll(",", "\u202f");
  const update = () => {
    slider.max = Math.max(own().length - 1, 0);
    const step = own()[Number(slider.value)];
    const each = price ? prices[Number(price.value)] : 1;
    if (target) {
      target.closest("label").hidden = !mix();
      control("target").textContent = target.ariaValueText = mix();
    }
    if (price) { control("price").textContent = price.ariaValueText = String(each); }
    box.classList.toggle("empty", !step);
    control("budget").textContent = slider.ariaValueText = step ? step.budget : "this planner was not asked for it";
    for (const name of ["samples", "balanced", "accuracy", "others", "command"]) show(name, step ? step[name] : "");
    show("cost", step ? grouped(step.cost * each) : "");
    const most = step ? Math.max(...step.classes.map((entry) => entry[1])) : 1;
    box.querySelector(".bars").replaceChildren(...(step ? step.classes : []).map(([name, added]) => {
      const [line, label, bar, number] = ["li", "span", "span", "span"].map((tag) => document.createElement(tag));
      label.textContent = name;
      bar.className = "bar";
      bar.style.setProperty("--part", added / most);
      number.textContent = `+${grouped(added)}`;
      line.append(label, bar, number);
      return line;
    }));
  };
  box.addEventListener("input", update);
  if (steps.some((step) => step.planner === box.dataset.planner)) planner.value = box.dataset.planner;
  const start = own().findIndex((step) => step.budget === box.dataset.budget);
  slider.max = own().length - 1;
  slider.value = start < 0 ? Math.floor(own().length / 2) : start;
  update();
  box.hidden = false;
  box.nextElementSibling.open = false;
}
